from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.episodes.windows import cut, random_starts


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
