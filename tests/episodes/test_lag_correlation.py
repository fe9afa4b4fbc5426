"""Correlations over episodes, and how often chance alone would give them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.episodes.lag_correlation import Pairs, chance_of_gain, correlation, lag_p_value


def noise(rng: np.random.Generator, episodes: int, steps: int = 30) -> list[Pairs]:
    return [
        Pairs(rng.normal(size=(steps, 1)), rng.normal(size=(steps, 1))) for _ in range(episodes)
    ]


def test_a_correlation_is_pearsons_over_all_steps() -> None:
    rng = np.random.default_rng(0)
    episodes = noise(rng, 3)
    moves, commands = (
        np.concatenate([getattr(p, side)[:, 0] for p in episodes]) for side in ("moves", "commands")
    )
    assert correlation(episodes) == pytest.approx(np.corrcoef(moves, commands)[0, 1])
    assert correlation([Pairs(np.ones((9, 1)), rng.normal(size=(9, 1)))]) is None
    assert correlation([Pairs(np.ones((2, 1)), np.ones((2, 1)))]) is None


def test_numbers_that_never_change_are_left_out() -> None:
    rng = np.random.default_rng(1)
    moves = rng.normal(size=(30, 2))
    assert correlation([Pairs(moves, moves)]) == pytest.approx(1.0)
    moves[:, 1] = 4.0
    assert correlation([Pairs(moves, moves)]) == pytest.approx(1.0)


def test_chance_is_uniform_for_unrelated_series_and_small_for_related_ones() -> None:
    rng = np.random.default_rng(2)
    found = np.array([lag_p_value({0: noise(rng, 3)}) for _ in range(120)])
    assert (found <= 0.05).mean() <= 0.1 and 0.35 < found.mean() < 0.65
    moves = [rng.normal(size=(30, 1)) for _ in range(3)]
    assert lag_p_value({0: [Pairs(m, m + rng.normal(size=m.shape)) for m in moves]}) <= 0.01
    assert lag_p_value({0: [Pairs(np.ones((9, 1)), np.ones((9, 1)))]}) == 1.0


def test_smooth_series_are_no_more_related_by_chance() -> None:
    """Neighbouring steps are alike: a test for independent steps would call a third of these
    related."""
    rng = np.random.default_rng(3)

    def smooth(steps: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.convolve(rng.normal(size=steps + 9), np.ones(10), "valid")[:, None]

    found = [lag_p_value({0: [Pairs(smooth(40), smooth(40)) for _ in range(3)]}) for _ in range(80)]
    assert np.mean(np.array(found) <= 0.05) <= 0.1


def test_a_gain_is_told_from_none() -> None:
    rng = np.random.default_rng(4)
    moves = [rng.normal(size=(40, 1)) for _ in range(5)]
    good = [Pairs(m, m + rng.normal(size=m.shape)) for m in moves]
    bad = [Pairs(m, rng.normal(size=m.shape)) for m in moves]
    assert chance_of_gain(good, bad) < 0.001 and chance_of_gain(bad, good) > 0.9
    assert chance_of_gain(good, good) == 1.0 and chance_of_gain(good[:1], bad[:1]) < 0.5
    equally = [chance_of_gain(noise(rng, 4), noise(rng, 4)) for _ in range(100)]
    assert np.mean(np.array(equally) <= 0.05) <= 0.1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 99))
def test_any_lengths_give_a_probability(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    episodes = [noise(rng, 1, steps)[0] for steps in lengths]
    assert (
        0.0 < lag_p_value({0: episodes}) <= 1.0 and 0.0 <= chance_of_gain(episodes, episodes) <= 1.0
    )
