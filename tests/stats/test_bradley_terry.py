from __future__ import annotations

import math

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.stats.bradley_terry import Verdicts, bradley_terry


def test_two_policies_have_the_log_odds_of_their_wins() -> None:
    found = bradley_terry([Verdicts(0, 1, 3000, 1000)], 2)
    assert found.values[0] - found.values[1] == pytest.approx(math.log(3), abs=0.01)
    assert sum(found.values) == pytest.approx(0, abs=1e-6)


def test_ties_follow_davidson() -> None:
    """s = (2, 1) and nu = 0.5: wins 2, losses 1, ties 0.5 sqrt 2."""
    found = bradley_terry([Verdicts(0, 1, 20000, 10000, 5000 * math.sqrt(2))], 2)
    assert found.values[0] - found.values[1] == pytest.approx(math.log(2), abs=0.01)
    assert math.exp(found.log_ties) == pytest.approx(0.5, abs=0.01)


def test_strengths_are_compared_through_a_third_policy() -> None:
    found = bradley_terry([Verdicts(0, 1, 200, 100), Verdicts(1, 2, 200, 100)], 3)
    assert found.values[0] - found.values[2] == pytest.approx(2 * math.log(2), abs=0.1)


def test_who_won_always_gets_a_finite_strength() -> None:
    found = bradley_terry([Verdicts(0, 1, 20, 0)], 2)
    assert 1 < found.values[0] < 10
    assert found.intervals[0][0] < found.values[0] < found.intervals[0][1]


def test_no_verdict_says_nothing() -> None:
    found = bradley_terry([], 3)
    assert found.values == pytest.approx((0, 0, 0))
    assert all(low < -3 and high > 3 for low, high in found.intervals)


def test_order_and_names_do_not_matter() -> None:
    one = bradley_terry([Verdicts(0, 1, 5, 2, 1), Verdicts(1, 2, 4, 3, 2)], 3)
    other = bradley_terry([Verdicts(2, 1, 3, 4, 2), Verdicts(1, 0, 2, 5, 1)], 3)
    assert one.values == pytest.approx(other.values, abs=1e-4)


@pytest.mark.parametrize("wrong", [Verdicts(0, 0, 1, 1), Verdicts(0, 3, 1, 1), Verdicts(0, 1, -1, 1)])
def test_a_wrong_pair_is_named(wrong: Verdicts) -> None:
    with pytest.raises(InputError, match="two of 3 policies"):
        bradley_terry([wrong], 3)


@pytest.mark.slow
def test_intervals_cover_the_true_strengths() -> None:
    """4,000 tournaments of four policies, 30 verdicts a pair, nu = 0.5."""
    rng = np.random.default_rng(0)
    s, nu = np.exp(np.array([0.8, 0.2, -0.3, -0.7])), 0.5
    covered, pairs = 0, [(a, b) for a in range(4) for b in range(a)]
    shares = np.array([(s[a], s[b], nu * math.sqrt(s[a] * s[b])) for a, b in pairs])
    for _ in range(4000):
        counts = [rng.multinomial(30, p / p.sum()) for p in shares]
        found = bradley_terry([Verdicts(a, b, *map(float, c)) for (a, b), c in zip(pairs, counts, strict=True)], 4)
        covered += found.intervals[0][0] <= 0.8 <= found.intervals[0][1]
    assert 0.94 <= covered / 4000 <= 0.97
