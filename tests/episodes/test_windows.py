from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.episodes.windows import (
    DISPLACEMENT_SCALE,
    check_shown,
    commanded_positions,
    conditioning,
    cut,
    random_starts,
    shown_columns,
)
from worldgym.errors import CheckpointError


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


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    size=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_windows_run_forward_and_pad_only_short_episodes(
    lengths: list[int], size: int, seed: int
) -> None:
    frames = np.array(lengths)
    starts = random_starts(frames, size, np.random.default_rng(seed))
    rows, mask = cut(frames, size, starts)
    for length, start, row, known in zip(lengths, starts, rows, mask, strict=True):
        assert known.all() == (length >= size)
        np.testing.assert_array_equal(row[known], np.arange(start, start + known.sum()))
        assert (row[~known] == length - 1).all()


def test_a_start_outside_the_episode_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside"):
        cut(np.array([5]), 3, np.array([5]))
