from __future__ import annotations

import torch

from worldgym.train.frames_before import BESIDE, Before, carried_frames
from worldgym.train.world_batches import Batch
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig

ROWS, FRAMES, MOVE = 512, 6, 1000.0


class CountsOn(DiT):
    """Carries a frame on by adding 1000, so that its numbers say where it came from."""

    def carry(
        self, before: torch.Tensor, initial_frame: torch.Tensor, condition: torch.Tensor
    ) -> torch.Tensor:
        assert before.shape[1] == condition.shape[1] == 1
        return before + MOVE


def carried_on(present: list[bool]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Recorded frames are their number, noisy ones a negative; padding begins in the last frame of
    every second row."""
    config = DiTConfig((2, 4, 4), cameras=len(present), carrier_width=8)
    clean = torch.arange(FRAMES).float()[None, :, None, None, None]
    clean = clean.repeat(ROWS, 1, *config.stacked_shape)
    mask = torch.ones(ROWS, FRAMES, dtype=torch.bool)
    mask[::2, -1] = False
    there = torch.tensor([present]).expand(ROWS, len(present))
    actions = torch.zeros(ROWS, FRAMES, 3)
    batch = Batch(clean, clean[:, 0], actions, mask, slice(0, ROWS), there)
    generator = torch.Generator().manual_seed(0)
    condition = torch.zeros(ROWS, FRAMES, 8)
    noisy = -1.0 - clean
    return mask, *carried_frames(
        CountsOn(config), noisy, clean[:, 0], condition, batch, generator, ROWS
    )


def test_the_frame_before_is_recorded_carried_there_or_in_work() -> None:
    mask, carried, told = carried_on([True])
    value = carried[..., 0, 0, 0]
    assert (value[:, 0] == -1.0 + MOVE).all()  # the first of a window is before itself
    for frame in range(1, FRAMES):
        source = value[:, frame] - MOVE
        unfinished = source == -1.0 - (frame - 1)
        recorded = source == frame - 1
        own = source == value[:, frame - 1]
        assert (unfinished | recorded | own).all()
        assert abs(unfinished.float().mean() - BESIDE.unfinished) < 0.06
        assert torch.equal(told[:, frame, 0, 0, 0], (~unfinished & mask[:, frame]).float())
        # behind one that was carried on from noise, only the recorded one is known
        assert not (own & ~told[:, frame - 1, 0, 0, 0].bool()).any()
        if frame > 1:
            ways = told[:, frame - 1, 0, 0, 0].bool()
            assert abs(own[ways].float().mean() - BESIDE.own) < 0.08
    assert not told[:, 0].any()
    assert (value > 3 * MOVE).any()  # several steps in a row


def test_a_view_that_was_not_recorded_stays_as_noisy_as_it_is() -> None:
    _, carried, told = carried_on([True, False])
    noisy = -1.0 - torch.arange(FRAMES - 1).float()[None, :, None, None, None] + MOVE
    below = carried[:, 1:, :, 4:]
    assert torch.equal(below, noisy.expand_as(below))
    assert not told[..., 4:, :].any() and told[..., :4, :].any()


class Scales(DiT):
    def carry(
        self, before: torch.Tensor, initial_frame: torch.Tensor, condition: torch.Tensor
    ) -> torch.Tensor:
        return before * condition[..., :1, None, None]


def test_gradients_end_where_a_frame_was_carried_to() -> None:
    """Each step is taught by itself, as a frame of a rollout is finished."""
    config = DiTConfig((2, 4, 4), carrier_width=8)
    clean = torch.ones(1, 4, 2, 4, 4)
    seen = torch.ones(1, 4, dtype=torch.bool)
    batch = Batch(
        clean, clean[:, 0], torch.zeros(1, 4, 3), seen, slice(0, 1), torch.ones(1, 1).bool()
    )
    by = torch.full((1, 4, 1), 3.0, requires_grad=True)
    generator = torch.Generator().manual_seed(0)
    shown = Before(unfinished=0.0, own=1.0)
    carried, _ = carried_frames(Scales(config), clean, clean[:, 0], by, batch, generator, 1, shown)
    assert carried[0, :, 0, 0, 0].tolist() == [3.0, 3.0, 9.0, 27.0]
    carried[:, 3].sum().backward()
    assert by.grad is not None
    assert by.grad[0, :, 0].tolist() == [0.0, 0.0, 0.0, 9.0 * 32]
