"""Training clips a second of the bundled world's recipe, and the share of the measured matrix-product rate they reach."""

from __future__ import annotations

from pathlib import Path

import torch
from machine import matmul_tflops, note, seconds

from worldgym.memory import keep_freed_memory
from worldgym.recipes import RECIPES
from worldgym.training import Optimizer
from worldgym.world.dit import DiT
from worldgym.world.train import MATRICES, Batch, diffusion_loss

ROWS = 12  # one process's share of a batch


def main() -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    config = RECIPES["reference"].world(Path("unused"), "cpu")
    network = DiT(config.network).bfloat16()
    optimizer = Optimizer(network, config.optimizer, MATRICES)
    shape = (ROWS, config.frames, *config.network.latent_shape)
    actions, mask = torch.randn(*shape[:2], config.network.action_size), torch.ones(shape[:2], dtype=torch.bool)
    batch = Batch(torch.randn(shape), torch.randn(shape)[:, 0], actions, mask, slice(0, ROWS))

    def step() -> None:
        diffusion_loss(network, config, batch, 0).backward()
        optimizer.step(0)

    took, peak = seconds(step, 4), matmul_tflops(1)
    rate = 3 * config.network.flops_per_frame * config.frames * ROWS / took / 1e12
    note(
        "Training speed: `python benchmarks/train_speed.py`",
        [
            f"{ROWS / took:.2f} clips of {config.frames} frames a second on one thread (optimiser included); "
            f"{rate:.3f} TFLOP/s in matrix products, {100 * rate / peak:.0f} % of the {peak:.2f} TFLOP/s that a large bfloat16 "
            "product reaches on that thread in the same run. Training runs one such process a core.",
        ],
    )


if __name__ == "__main__":
    main()
