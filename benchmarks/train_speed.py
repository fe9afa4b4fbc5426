"""Training clips per second of the bundled world's recipe, and the share of the measured
matrix-product rate they reach."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from machine import note
from torch import distributed
from torch.multiprocessing.spawn import spawn

from worldgym.native.memory import keep_freed_memory
from worldgym.train.distributed import ProcessGroup
from worldgym.train.muon import NEWTON_SCHULZ
from worldgym.train.optimizer import Optimizer, orthogonal_work
from worldgym.train.recipes import RECIPES
from worldgym.train.world_batches import Batch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.train.world_training import MATRICES, diffusion_loss
from worldgym.world.network import DiT

PROCESSES = 2  # that train together, one a core
ROWS = 12  # one process's share of a batch
ROUNDS = 8
# of the product that the machine's rate is taken from, and how many in a row
SIZE = 2048
PRODUCTS = 20
NAMES = ("pass", "optimizer", "product")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        spawn(measure, (folder,), PROCESSES)
        took = json.loads((Path(folder) / "took.json").read_text())
    config = RECIPES["reference"].world(Path("unused"), "cpu")
    peak = 2 * SIZE**3 / took["product"] / 1e12
    network = network_tflop(config)
    others = other_tflop(config)
    step = took["pass"] + took["optimizer"]

    def share(tflop: float, seconds: float) -> str:
        return f"{100 * tflop / seconds / peak:.0f} %"

    note(
        "Training speed: `python benchmarks/train_speed.py`",
        [
            f"CPU seconds of one of {PROCESSES} processes of one thread that train together, the "
            f"best of {ROUNDS} rounds taken in turn, {ROWS} clips of {config.frames} frames each, "
            f"{config.dtype}: forward and backward {took['pass']:.3f}, optimiser with the exchange "
            f"of gradients {took['optimizer']:.3f}. {ROWS / step:.2f} clips per second and "
            f"process.",
            f"A large {config.dtype} product reaches {peak:.2f} TFLOP/s there, in the same rounds. "
            f"Of that, the network's products alone ({network:.3f} TFLOP) reach "
            f"{share(network, step)}, without the optimiser {share(network, took['pass'])}. With "
            f"what is computed besides, Muon's share and attention ({others:.3f} TFLOP), a step "
            f"reaches {share(network + others, step)}.",
        ],
    )


def network_tflop(config: WorldTrainConfig) -> float:
    """Forward and backward of one process's rows, attention left out."""
    return 3 * config.network.flops_per_frame * config.frames * ROWS / 1e12


def other_tflop(config: WorldTrainConfig) -> float:
    """A process's share of Muon's products; attention, either way."""
    network = config.network
    frames = config.frames
    matrices = [
        p
        for name, p in DiT(network).named_parameters()
        if p.ndim == 2 and name.startswith(MATRICES)
    ]
    muon = sum(NEWTON_SCHULZ * 2 * orthogonal_work(p.shape) for p in matrices) / PROCESSES
    tokens = network.tokens * frames * ROWS
    keys = network.pairs * (network.tokens + frames)  # that a token meets, in all blocks
    # two products forward, four backward
    attention = 6 * 2 * tokens * keys * network.width
    return float(muon + attention) / 1e12


def measure(rank: int, folder: str) -> None:
    """Leaves the seconds of the first process in the folder."""
    keep_freed_memory()
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=PROCESSES
    )
    group = ProcessGroup.current()
    config = RECIPES["reference"].world(Path("unused"), "cpu")
    shape = (ROWS, config.frames, *config.network.latent_shape)
    actions = torch.randn(*shape[:2], config.network.action_size)
    mask = torch.ones(shape[:2], dtype=torch.bool)
    x, present = torch.randn(shape), torch.ones(ROWS, 1, dtype=torch.bool)
    batch = Batch(x, torch.randn(shape)[:, 0], actions, mask, slice(0, ROWS), present)
    dtype = getattr(torch, config.dtype)
    network = DiT(config.network).to(dtype)
    optimizer = Optimizer(network, config.optimizer, MATRICES, group)

    calls: dict[str, Callable[[], object]] = {
        "pass": lambda: diffusion_loss(network, config, batch, 0).backward(),
        "optimizer": partial(optimizer.step, 0),
    }
    took = dict.fromkeys(NAMES, float("inf"))
    for _ in range(ROUNDS):  # in turn: what else the machine does slows all alike
        for name, call in calls.items():
            distributed.barrier()
            took[name] = min(took[name], cpu_seconds(call))
        distributed.barrier()
        took["product"] = min(took["product"], product_seconds(dtype))
    if group.first:
        (Path(folder) / "took.json").write_text(json.dumps(took))
    distributed.destroy_process_group()


def cpu_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def product_seconds(dtype: torch.dtype) -> float:
    """Of one among several in a row, which keep a process as busy as a step does."""
    a, b = torch.randn(SIZE, SIZE).to(dtype), torch.randn(SIZE, SIZE).to(dtype)
    a @ b
    return cpu_seconds(lambda: [a @ b for _ in range(PRODUCTS)]) / PRODUCTS


if __name__ == "__main__":
    main()
