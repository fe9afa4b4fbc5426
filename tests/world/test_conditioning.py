from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from worldgym.errors import CheckpointError
from worldgym.world.conditioning import (
    DISPLACEMENT_SCALE,
    check_shown,
    commanded_positions,
    conditioning,
    octaves,
    shown_columns,
)
from worldgym.world.network_config import DiTConfig


@given(steps=st.integers(0, 30), seed=st.integers(0, 99))
def test_each_frame_shows_the_action_that_led_to_it(steps: int, seed: int) -> None:
    actions = np.random.default_rng(seed).normal(size=(steps, 3)).astype(np.float32)
    shown = conditioning(actions)
    np.testing.assert_array_equal(shown[0], [0.0] * 6 + [1.0])
    for frame in range(1, steps + 1):
        moved = DISPLACEMENT_SCALE * actions[:frame].sum(0)
        np.testing.assert_allclose(shown[frame], [*actions[frame - 1], *moved, 0.0], atol=1e-5)


@given(steps=st.integers(1, 30), seed=st.integers(0, 99), split=st.integers(0, 30))
def test_sums_are_kept_within_bounds_all_the_time(steps: int, seed: int, split: int) -> None:
    rng = np.random.default_rng(seed)
    actions = rng.normal(size=(2, steps, 3)).astype(np.float32)
    bounds = np.stack([-rng.uniform(0, 3, (2, 3)), rng.uniform(0, 3, (2, 3))], 1).astype(np.float32)
    sums = commanded_positions(actions, bounds)
    for row in range(2):
        for box, (low, high) in enumerate(bounds):
            now = np.zeros(3, np.float32)
            for step, action in enumerate(actions[row]):
                now = np.minimum(np.maximum(now + action, low), high)
                np.testing.assert_array_equal(sums[row, step, box], now)
    split = min(split, steps)
    begun = sums[:, split - 1] if split else None
    # as a rollout goes, piece by piece
    np.testing.assert_array_equal(
        commanded_positions(actions[:, split:], bounds, begun), sums[:, split:]
    )
    shown = conditioning(actions[0], bounds=bounds)
    assert shown.shape == (steps + 1, 10)
    np.testing.assert_allclose(
        shown[1:, 3:-1], DISPLACEMENT_SCALE * sums[0].reshape(steps, 6), rtol=1e-6
    )


def test_published_conditioning_is_the_action_alone() -> None:
    actions = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    assert conditioning(actions, 2).tolist() == [[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]
    assert conditioning(actions, 4).tolist() == [
        [0.0] * 4,
        [1.0, 2.0, 0.0, 0.0],
        [3.0, 4.0, 0.0, 0.0],
    ]


@pytest.mark.parametrize(
    ("form", "actions", "size"), [("sum", 3, 6), ("action", 7, 6), ("angle", 3, 3)]
)
def test_a_network_that_cannot_be_shown_the_actions_is_refused(
    form: str, actions: int, size: int
) -> None:
    check_shown("sum", 3, 7)
    check_shown("action", 7, 10)
    with pytest.raises(CheckpointError):
        check_shown(form, actions, size)


def test_columns_of_robots_that_share_a_network() -> None:
    """Of two action numbers and one sum each, beside one of three numbers and two sums: actions,
    sums, more sums, the flag."""
    assert shown_columns("sum", 2, 10, 1, 3).tolist() == [0, 1, 3, 4, 9]
    assert shown_columns("sum", 3, 10, 2, 3).tolist() == list(range(10))
    assert shown_columns("sum", 2, 5).tolist() == list(range(5))
    check_shown("sum", 3, 10, 2)
    with pytest.raises(CheckpointError, match="action_size 10"):
        check_shown("sum", 3, 7, 2)


def test_octaves_are_the_numbers_then_sines_then_cosines() -> None:
    actions = torch.tensor([[0.5, -2.0]])
    shown = octaves(actions, 2)
    angles = torch.tensor([0.5, 1.0, -2.0, -4.0])
    torch.testing.assert_close(shown[0], torch.cat([actions[0], angles.sin(), angles.cos()]))
    assert shown.shape[1] == DiTConfig(action_size=2, action_octaves=2).action_features
    assert torch.equal(octaves(actions, 0), actions)


def test_half_precision_numbers_turn_in_full_precision() -> None:
    """At the highest frequency the rounding of bfloat16 would blur the angle."""
    actions = torch.tensor([[2.53125]])  # exact in bfloat16
    torch.testing.assert_close(octaves(actions.bfloat16(), 4), octaves(actions, 4))
