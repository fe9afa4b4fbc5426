"""Laws of the schedules: what is noised and stepped back with the true target comes out as it
was."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from worldgym.errors import CheckpointError
from worldgym.world.noise import FlowMatching, Schedule, SigmoidV, make_schedule

SCHEDULES = [FlowMatching(), SigmoidV()]


def _latents(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, 4, 5, 5, generator=generator), torch.randn(
        2, 3, 4, 5, 5, generator=generator
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(seed=st.integers(0, 100), fraction=st.floats(0.05, 0.95))
def test_one_step_with_the_true_target_returns_the_clean_frame(
    schedule: Schedule, seed: int, fraction: float
) -> None:
    x, eps = _latents(seed)
    grid = schedule.grid(10)
    level = torch.full((2, 3), round(float(grid[0]) * fraction))
    clean = torch.full((2, 3), float(grid[-1]))
    noisy = schedule.add_noise(x, eps, level)
    back = schedule.step(noisy, schedule.target(x, eps, level), level, clean)
    torch.testing.assert_close(back, x, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_grid_ends_clean_and_steps_down(schedule: Schedule) -> None:
    x, eps = _latents(0)
    for steps in (1, 4, 10):
        grid = schedule.grid(steps)
        assert len(grid) == steps + 1
        assert (grid[1:] < grid[:-1]).all()
        torch.testing.assert_close(schedule.add_noise(x, eps, grid[-1].expand(2, 3)), x)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_levels_are_drawn_per_frame_and_repeatably(schedule: Schedule) -> None:
    draw = [schedule.sample_levels((64, 16), torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*draw)
    assert draw[0].std(1).min() > 0
    assert draw[0].min() >= 0 and draw[0].max() <= 1000


def test_below_the_floor_the_error_counts_as_that_of_the_latent() -> None:
    """An error e of v at level t misplaces the predicted latent x_t - t v by t e."""
    weight = FlowMatching(floor=200.0).loss_weight(torch.tensor([0.0, 100.0, 200.0, 900.0]))
    assert weight.tolist() == [0.0, 0.25, 1.0, 1.0]
    assert SigmoidV().loss_weight(torch.tensor([0.0, 999.0])).tolist() == [1.0, 1.0]


def test_released_schedule() -> None:
    """Sigmoid from -3 to 3: half of the signal's power is left in the middle, nearly all of it at
    level 0."""
    schedule = SigmoidV()
    levels = torch.tensor([0.0, 499.0, 999.0, -1.0])
    x = torch.ones(1, 4, 1, 1, 1)
    power = schedule.add_noise(x, torch.zeros_like(x), levels[None]).square().flatten().tolist()
    assert power[0] > 0.999 and 0.45 < power[1] < 0.55 and power[2] < 0.01 and power[3] == 1.0


def test_a_frame_whose_level_stays_is_left_alone() -> None:
    x, v = _latents(1)
    level = torch.full((2, 3), 300.0)
    for schedule in SCHEDULES:
        torch.testing.assert_close(schedule.step(x, v, level, level), x)


def test_a_finished_frame_in_work_is_shown_as_context() -> None:
    """In a pyramid the first frames of a chunk are finished (level -1 as released) while the last
    still descend."""
    x, _ = _latents(2)
    level = torch.tensor([[-1.0, 99.0, 999.0]]).expand(2, 3)
    seen, told = SigmoidV().shown(x, level), SigmoidV().shown_level(level)
    settled, context_level = SigmoidV().context(x)
    assert told.tolist() == [[context_level, 99.0, 999.0]] * 2
    assert torch.equal(seen[:, 0], settled[:, 0]) and torch.equal(seen[:, 1:], x[:, 1:])
    assert not torch.equal(settled[:, 0], x[:, 0])
    assert FlowMatching().shown(x, level) is x and FlowMatching().shown_level(level) is level


def test_unknown_schedule_is_refused() -> None:
    with pytest.raises(CheckpointError, match="cosine"):
        make_schedule("cosine")
