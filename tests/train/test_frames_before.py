from __future__ import annotations

from pathlib import Path

import torch

from worldgym.train.frames_before import FAULTS, KNOWN_BEFORE, known_before
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.world_batches import Batch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.network_config import DiTConfig

ROWS, FRAMES = 256, 6


def known(present: list[bool]) -> tuple[torch.Tensor, ...]:
    """noisy and clean latents, what is shown as the frame before, and where that is the clean one;
    padding begins in the last frame of every second row."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.zeros(ROWS, FRAMES, 2, 4 * len(present), 4)
    noisy = 100.0 + torch.rand(clean.shape, generator=generator)
    mask = torch.ones(ROWS, FRAMES, dtype=torch.bool)
    mask[::2, -1] = False
    network = DiTConfig((2, 4, 4), cameras=len(present), carrier_width=8)
    config = WorldTrainConfig(Path("run"), network, OptimizerConfig(1), batch=ROWS, frames=FRAMES)
    there = torch.tensor([present]).expand(ROWS, len(present))
    actions = torch.zeros(ROWS, FRAMES, 3)
    batch = Batch(clean, clean[:, 0], actions, mask, slice(0, ROWS), there)
    return noisy, mask, *known_before(noisy, batch, config, generator)


def test_the_frame_before_is_mostly_the_clean_one_with_a_little_noise() -> None:
    noisy, mask, shown, told = known([True])
    assert torch.equal(shown[:, 0], noisy[:, 0])  # the first of a window is its own
    assert not told[:, 0].any()
    kept = (shown[:, 1:] == noisy[:, :-1]).flatten(2).all(2)
    assert abs(1.0 - kept.float().mean() - KNOWN_BEFORE) < 0.04
    right = (~kept & mask[:, 1:])[..., None, None, None]
    assert torch.equal(told[:, 1:], right.expand_as(told[:, 1:]).float())
    spread = shown[:, 1:][~kept].flatten(1).std(1)  # noise of anything up to FAULTS
    assert spread.max() < 1.4 * FAULTS and 0.4 * FAULTS < spread.mean() < 0.6 * FAULTS


def test_a_view_that_was_not_recorded_stays_as_noisy_as_it_is() -> None:
    noisy, _, shown, told = known([True, False])
    same = shown[:, 1:] == noisy[:, :-1]
    assert same[..., 4:, :].all() and not same[..., :4, :].all()
    assert not told[..., 4:, :].any() and told[..., :4, :].any()
