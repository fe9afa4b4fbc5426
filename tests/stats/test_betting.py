from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import beta

from worldgym.stats.betting import anytime_interval, betting_interval, wealth

values = st.lists(st.floats(0, 1), max_size=30)


@settings(max_examples=30)
@given(values)
def test_an_interval_lies_in_the_unit_interval_and_mirrors(drawn: list[float]) -> None:
    x, slack = np.array(drawn), np.zeros(len(drawn))
    low, high = betting_interval(x, slack)
    assert 0 <= low <= high <= 1
    assert betting_interval(1 - x, slack) == pytest.approx((1 - high, 1 - low), abs=2e-3)


def test_no_and_one_value_say_next_to_nothing() -> None:
    assert betting_interval(np.array([]), np.array([])) == (0.0, 1.0)
    low, high = betting_interval(np.ones(1), np.zeros(1))
    assert low < 0.05 and high == 1


def test_it_adapts_to_the_variance_and_narrows() -> None:
    still, loud = np.full(100, 0.5), np.tile([0.0, 1.0], 50)
    widths = [np.diff(betting_interval(x, np.zeros(len(x))))[0] for x in (still, loud, loud[:30])]
    assert widths == sorted(widths)
    assert widths[0] < 0.1 < widths[1] < 0.3


def test_an_interval_moves_evenly_with_its_values() -> None:
    """Without the steps of the grid of candidate means."""
    x = np.tile([0.2, 0.5, 0.9], 20)
    lows = np.array(
        [betting_interval(x + shift, np.zeros(60))[0] for shift in np.linspace(0, 0.002, 41)]
    )
    steps = np.diff(lows)
    assert steps.min() > 0 and steps.max() < 3 * steps.mean()


def test_wider_bounds_cost_width() -> None:
    x = np.tile([0.0, 1.0], 20)
    tight, slack = (betting_interval(x, np.full(40, size)) for size in (0.0, 1.0))
    assert slack[0] < tight[0] and tight[1] < slack[1]


def test_wealth_is_the_beta_mixture_of_whole_differences() -> None:
    """Uniform bets on wins w and losses l have the closed form 2^(w + l) B(w + 1, l + 1)."""
    for wins, losses in ((5, 0), (7, 3), (20, 20)):
        now = wealth(np.array([1.0] * wins + [-1.0] * losses))[-1]
        assert now == pytest.approx(2 ** (wins + losses) * beta(wins + 1, losses + 1), rel=0.02)
    assert wealth(np.zeros(5)) == pytest.approx(np.ones(5))


@settings(max_examples=30)
@given(st.lists(st.floats(-1, 1), max_size=25))
def test_wealth_now_does_not_depend_on_the_order_and_decides_the_interval(
    drawn: list[float],
) -> None:
    d = np.array(drawn)
    low, high = anytime_interval(d)
    assert -1 <= low <= high <= 1
    if len(d):
        now = wealth(d)[-1]
        assert wealth(d[::-1].copy())[-1] == pytest.approx(now)
        assert abs(now - 20) < 1e-3 or (now >= 20) == (low > 0 or high < 0)


def test_an_anytime_interval_without_differences_says_nothing() -> None:
    assert anytime_interval(np.array([])) == (-1.0, 1.0)
    assert anytime_interval(np.full(200, -1.0))[1] < -0.9


def test_wealth_stays_a_number() -> None:
    assert np.isfinite(wealth(np.ones(5000))).all()
