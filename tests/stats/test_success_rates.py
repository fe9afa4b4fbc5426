from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from worldgym.stats.success_rates import (
    Interval,
    clopper_pearson_interval,
    effective_trials,
    score_rate,
    wilson_interval,
    wilson_rate,
)

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.sampled_from([0.5, 0.9, 0.95, 0.99])


@pytest.mark.parametrize(
    ("interval", "low", "high"),
    [
        (wilson_interval(10, 20), 0.299298, 0.700702),
        (wilson_interval(0, 10), 0.0, 0.277533),
        (wilson_interval(1, 1), 0.206549, 1.0),
    ],
)
def test_known_wilson_intervals(interval: Interval, low: float, high: float) -> None:
    assert interval == pytest.approx((low, high), abs=1e-6)


@settings(max_examples=30)
@given(counts, levels)
def test_intervals_equal_scipys(count: tuple[int, int], level: float) -> None:
    known = binomtest(*count)
    for ours, method in ((wilson_interval, "wilson"), (clopper_pearson_interval, "exact")):
        assert ours(*count, level) == pytest.approx(
            tuple(known.proportion_ci(level, method)), abs=1e-9
        )


@settings(max_examples=30)
@given(counts, levels)
def test_an_interval_holds_its_rate_and_mirrors(count: tuple[int, int], level: float) -> None:
    k, n = count
    for interval in (wilson_interval, clopper_pearson_interval):
        low, high = interval(k, n, level)
        assert 0 <= low <= k / n <= high <= 1
        assert interval(n - k, n, level) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(st.integers(1, 100), st.floats(0, 1))
def test_partial_credit_has_a_wilson_interval(n: int, share: float) -> None:
    low, high = wilson_interval(share * n, n)
    assert 0 <= low <= share * n / n <= high <= 1


def test_no_trials_say_nothing() -> None:
    assert wilson_interval(0, 0) == clopper_pearson_interval(0, 0) == (0.0, 1.0)
    assert wilson_rate(0, 0).value is None


def test_a_rate_carries_its_interval() -> None:
    rate = wilson_rate(2.5, 5)
    assert rate.value == 0.5
    assert (rate.low, rate.high) == wilson_interval(2.5, 5)


@pytest.mark.parametrize(
    ("successes", "trials", "level"),
    [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, -1, 0.95), (float("nan"), 2, 0.95)],
)
def test_impossible_counts_are_refused(successes: float, trials: int, level: float) -> None:
    with pytest.raises(ValueError):
        wilson_interval(successes, trials, level)


def test_the_exact_interval_counts_in_whole_successes() -> None:
    with pytest.raises(ValueError, match="Wilson"):
        clopper_pearson_interval(0.5, 2)  # type: ignore[arg-type]


@settings(max_examples=30)
@given(counts)
def test_one_whole_score_a_frame_is_wilsons(count: tuple[int, int]) -> None:
    k, n = count
    rate = score_rate([1.0] * k + [0.0] * (n - k), [str(i) for i in range(n)])
    assert (rate.low, rate.high) == pytest.approx(wilson_interval(k, n))


def test_repeats_that_are_all_alike_count_once() -> None:
    scores, frames = [1.0, 0.0, 1.0, 1.0], ["a", "b", "c", "d"]
    once, fivefold = score_rate(scores, frames), score_rate(scores * 5, frames * 5)
    assert (fivefold.low, fivefold.high) == pytest.approx((once.low, once.high))
    assert fivefold.trials == 20


def test_repeats_lie_between_frames_and_trials() -> None:
    scores, frames = (
        np.array([1.0, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0]),
        [f"f{i // 2}" for i in range(12)],
    )
    assert 6 <= effective_trials(scores, frames) <= 12


def test_partial_credit_narrows_the_interval() -> None:
    graded = score_rate([0.4, 0.5, 0.6] * 10, [str(i) for i in range(30)])
    low, high = wilson_interval(15, 30)
    assert graded.high - graded.low < (high - low) / 2


def test_a_single_frame_is_worth_one_trial_and_none_says_nothing() -> None:
    rate = score_rate([1.0, 0.0, 1.0], ["a"] * 3)
    assert (rate.low, rate.high) == wilson_interval(2 / 3, 1) and rate.frames == 1
    none = score_rate([], [])
    assert (none.value, none.low, none.high, none.frames) == (None, 0.0, 1.0, 0)
    assert (score_rate([1.0], ["a"]).low, 1.0) == wilson_interval(1, 1)


def test_a_second_frame_never_makes_a_rate_less_sure() -> None:
    scores = [1.0, 0.0, 1.0, 1.0]
    widths = []
    for frames in range(1, 6):
        rate = score_rate(scores * frames, [str(i) for i in range(frames) for _ in scores])
        widths.append(rate.high - rate.low)
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("score", [0.1, 0.4, 1 / 3, 0.5, 0.9])
@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_equal_scores_have_an_honest_interval(score: float, n: int) -> None:
    """They may hide another score in one or two of n frames, and are worth n trials at least."""
    rate = score_rate([score] * n, [str(i) for i in range(n)])
    assert rate.low < score < rate.high and rate.high - rate.low > min(0.5, 2 / n)
    low, high = wilson_interval(score * n, n)
    assert low - 1e-12 <= rate.low and rate.high <= high + 1e-12


def test_a_frame_of_many_repeats_is_one_frame() -> None:
    scores, frames = [1.0] * 100 + [0.0] * 4, ["a"] * 100 + list("bcde")
    assert effective_trials(np.array(scores), frames) < 1.2
    assert score_rate(scores, frames).low < 0.25


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=20), st.integers(1, 6))
def test_trials_are_worth_what_lies_between_frames_and_agreement(
    drawn: list[float], repeats: int
) -> None:
    scores, G = np.repeat(drawn, repeats), len(drawn)
    frames = [str(i) for i in range(G) for _ in range(repeats)]
    p = float(scores.mean())
    assert G <= effective_trials(scores, frames) + 1e-9 <= G * (1 + 2 * G * p * (1 - p)) + 2e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abcde")), min_size=1, max_size=30))
def test_any_scores_have_an_interval_around_their_mean(drawn: list[tuple[float, str]]) -> None:
    rate = score_rate([score for score, _ in drawn], [frame for _, frame in drawn])
    assert rate.value is not None
    assert 0 <= rate.low <= rate.value + 1e-9 and rate.value - 1e-9 <= rate.high <= 1
