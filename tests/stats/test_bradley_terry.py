from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.special import ndtr

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


@pytest.mark.parametrize(
    "wrong", [Verdicts(0, 0, 1, 1), Verdicts(0, 3, 1, 1), Verdicts(0, 1, -1, 1)]
)
def test_a_wrong_pair_is_named(wrong: Verdicts) -> None:
    with pytest.raises(InputError, match="two of 3 policies"):
        bradley_terry([wrong], 3)


def test_one_comparison_a_frame_is_independent_of_the_others() -> None:
    apart = [Verdicts(0, 1, 1, 0, frame=str(i)) for i in range(6)] + [
        Verdicts(0, 1, 0, 1, frame=str(i)) for i in range(6, 10)
    ]
    assert bradley_terry(apart, 2).factors == (1, 1)
    together = bradley_terry([Verdicts(0, 1, 6, 4)], 2)
    assert bradley_terry(apart, 2).intervals[0] == pytest.approx(together.intervals[0])


def test_factors_do_not_jump_where_frames_begin_to_share_verdicts() -> None:
    """One frame of 40 with a second verdict counts a little, not as if all had."""
    apart = [Verdicts(0, 1, float(i % 3 > 0), float(i % 3 == 0), frame=str(i)) for i in range(40)]
    factor = bradley_terry([*apart, Verdicts(0, 1, 1, 0, frame="0")], 2).factors[0]
    assert 1 <= factor < 1.1 and bradley_terry(apart, 2).frames == 40


def test_policies_that_stand_alike_are_ranked_alike_on_every_machine() -> None:
    """Equal eigenvalues have no eigenvectors of their own: the square root of the covariance needs
    none."""
    equal = [Verdicts(a, b, 5, 5, frame=f"{a}{b}") for a, b in combinations(range(4), 2)]
    moved = [replace(v, wins=v.wins + 1e-9 * i) for i, v in enumerate(equal)]
    best, again = (bradley_terry(verdicts, 4).ranking.best for verdicts in (equal, moved))
    assert best == pytest.approx(again, abs=1e-3)


def test_repeats_of_a_frame_widen_as_far_as_they_are_alike() -> None:
    won = [Verdicts(0, 1, 1, 0, frame=str(i)) for i in range(12)] + [
        Verdicts(0, 1, 0, 1, frame=str(i)) for i in range(12, 20)
    ]
    once, alike = bradley_terry(won, 2), bradley_terry(won * 10, 2)
    student = (2.093 / 1.96) ** 2  # 20 initial frames
    # ten copies of a verdict are worth one
    assert alike.factors == pytest.approx((10 * student,) * 2, rel=0.1)
    half = once.intervals[0][1] - once.values[0]
    assert alike.intervals[0][1] - alike.values[0] == pytest.approx(half * 2.093 / 1.96, rel=0.05)


def test_the_ranking_follows_from_strengths_and_intervals() -> None:
    found = bradley_terry([Verdicts(0, 1, 14, 6), Verdicts(1, 2, 13, 7)], 3)
    assert found.ranking.orders[0][0] == (0, 1, 2) and sum(found.ranking.best) == pytest.approx(1)
    two = bradley_terry([Verdicts(0, 1, 14, 6)], 2)  # its strengths are v and -v
    gap, spread = 2 * two.values[0], 2 * (two.intervals[0][1] - two.values[0]) / 1.96
    assert two.ranking.above[0][1] == pytest.approx(float(ndtr(gap / spread)), abs=0.02)


def tournament(
    rng: np.random.Generator, strengths: np.ndarray, frames: int, liking: float
) -> list[Verdicts]:
    """Two trials per initial frame; every rollout has a quality of its own, and each is compared
    with each other policy's.

    Qualities are strength + Gumbel noise, so that pairs follow Bradley and Terry; liking: spread of
    what a frame favours."""
    verdicts = []
    for frame in range(frames):
        favour = rng.normal(0, liking, len(strengths))
        for _ in range(2):
            quality = strengths + favour + rng.gumbel(size=len(strengths))
            verdicts += [
                Verdicts(
                    a,
                    b,
                    float(quality[a] > quality[b]),
                    float(quality[a] < quality[b]),
                    frame=str(frame),
                )
                for a, b in combinations(range(len(strengths)), 2)
            ]
    return verdicts


@pytest.mark.slow
def test_intervals_of_independent_verdicts(covered: Callable[..., None]) -> None:
    """4,000 tournaments of four policies, 30 verdicts a pair, nu = 0.5."""
    rng = np.random.default_rng(0)
    s, nu, intervals = np.exp(np.array([0.8, 0.2, -0.3, -0.7])), 0.5, []
    pairs = [(a, b) for a in range(4) for b in range(a)]
    shares = np.array([(s[a], s[b], nu * math.sqrt(s[a] * s[b])) for a, b in pairs])
    for _ in range(4000):
        counts = [rng.multinomial(30, p / p.sum()) for p in shares]
        found = bradley_terry(
            [Verdicts(a, b, *map(float, c)) for (a, b), c in zip(pairs, counts, strict=True)], 4
        )
        intervals.append(found.intervals[0])
    covered(intervals, 0.8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policies", "frames", "liking"), [(3, 12, 0.0), (8, 12, 0.0), (4, 25, 1.0)]
)
def test_intervals_of_shared_rollouts(
    covered: Callable[..., None], policies: int, frames: int, liking: float
) -> None:
    """4,000 tournaments in which every rollout stands in all comparisons of its trial; of the best
    and the worst."""
    rng, strengths = np.random.default_rng(1), np.linspace(0.8, -0.8, policies)
    truth = (
        bradley_terry(tournament(rng, strengths, 20_000, liking), policies).values
        if liking
        else strengths
    )
    intervals = [
        bradley_terry(tournament(rng, strengths, frames, liking), policies).intervals
        for _ in range(4000)
    ]
    best, worst = ([found[i] for found in intervals] for i in (0, -1))
    covered(best, truth[0], name="best")
    covered(worst, truth[-1], name="worst")


@pytest.mark.slow
def test_probabilities_of_orders_come_true(measured: Callable[..., None]) -> None:
    """Four policies of unknown strength, 12 initial frames, 1,500 tournaments: of pairs called with
    90 %, say, 90 % are so."""
    rng, said, true = np.random.default_rng(2), list[float](), list[bool]()
    for _ in range(1500):
        strengths = rng.normal(0, 0.7, 4)
        found = bradley_terry(tournament(rng, strengths, 12, 0.0), 4).ranking
        for a, b in combinations(range(4), 2):
            said.append(max(found.above[a][b], found.above[b][a]))
            true.append(bool((strengths[a] > strengths[b]) == (found.above[a][b] > 0.5)))
    known, right = np.array(said), np.array(true)
    for low, high in ((0.5, 0.7), (0.7, 0.9), (0.9, 0.98), (0.98, 1.01)):
        here = (known >= low) & (known < high)
        least, most = (float(known[here].mean()) + move for move in (-0.05, 0.05))
        measured(right[here].mean(), least, most, f"said {known[here].mean():.3f}")
