from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from worldgym.stats.comparison import (
    NOTHING,
    Difference,
    _flipped_sums,
    barnard_p,
    holm,
    mcnemar_p,
    newcombe_interval,
    paired_difference,
    permutation_p,
    sign_flip_p,
    tango_interval,
    unpaired_difference,
)
from worldgym.stats.success_rates import effective_trials

pairs = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=40
)


def own_frames(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def test_known_intervals() -> None:
    # Fagerland et al. (2014), airway example
    assert tango_interval(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)
    # Newcombe (1998), table II
    assert newcombe_interval((56 / 70, 48 / 80), (70, 80)) == pytest.approx(
        (0.0524, 0.3339), abs=1e-4
    )


@settings(max_examples=40)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_tangos_ends_are_where_the_score_reaches_its_quantile(
    gain: int, loss: int, same: int
) -> None:
    n = gain + loss + same
    if n == 0:
        return
    low, high = tango_interval(gain, loss, n)
    assert -1 <= low <= (gain - loss) / n <= high <= 1
    assert tango_interval(loss, gain, n) == pytest.approx((-high, -low))
    chi_square = (gain - loss) ** 2 / (gain + loss) if gain + loss else 0.0
    # the asymptotic McNemar test
    assert (low > 1e-9 or high < -1e-9) == (chi_square > 1.959964**2 + 1e-6)


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_the_binomial_test(gain: int, loss: int) -> None:
    known = binomtest(gain, gain + loss).pvalue if gain + loss else 1.0
    assert mcnemar_p(gain, loss) == pytest.approx(known)
    assert sign_flip_p(np.array([1.0] * gain + [-1.0] * loss + [0.0])) == mcnemar_p(gain, loss)


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from([-1.0, -0.75, -0.5, 0.25, 1 / 3, 0.5, 0.7, 0.9999, 1.0]),
        min_size=2,
        max_size=10,
    )
)
def test_the_sign_flip_test_counts_all_flips(drawn: list[float]) -> None:
    """Against every one of the 2^G flips, spelled out; rounding to the grid may move sums that
    nearly tie."""
    moved = np.array(drawn)
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(moved))).reshape(len(moved), -1).T
    sums, observed = abs(signs @ abs(moved)), abs(moved.sum())
    surely, perhaps = np.mean(sums > observed + 2e-3), np.mean(sums > observed - 2e-3)
    assert surely <= sign_flip_p(moved) + 1e-12 and sign_flip_p(moved) <= perhaps + 1e-12


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60))
def test_the_tail_of_flipped_sums_is_that_of_whole_rows(steps: list[int]) -> None:
    whole = np.ones(1)
    for step in steps:
        whole = np.convolve(whole, [0.5, *[0.0] * (step - 1), 0.5])
    for count in (1, len(whole) // 3 + 1, len(whole)):
        tail = _flipped_sums(np.sort(np.array(steps, np.intp)), count)
        assert tail == pytest.approx(whole[:count], rel=1e-12)


def test_quarters_are_exact_and_large_studies_have_no_floor() -> None:
    quarters = np.array([0.5, 1.0, -0.25, 0.75, 0.5, 1.0, -0.5, 0.25])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1).T
    assert sign_flip_p(quarters) == np.mean(abs(signs @ abs(quarters)) >= abs(quarters.sum()))
    steady = np.array([1.0] * 38 + [0.5, 0.25])
    assert sign_flip_p(steady) == pytest.approx(2 / 2**40)
    drawn = np.random.default_rng(0).random(2000) - 0.4
    assert 0 < sign_flip_p(drawn) < 1e-15 and sign_flip_p(drawn) == sign_flip_p(-drawn)


@settings(max_examples=40)
@given(pairs)
def test_a_paired_difference_of_whole_scores_is_tango_and_mcnemar(
    drawn: list[tuple[float, float]],
) -> None:
    a, b = np.array(drawn).T
    gain, loss = int(np.sum(a > b)), int(np.sum(a < b))
    found = paired_difference(a, b, own_frames(len(a)))
    assert (found.low, found.high) == pytest.approx(tango_interval(gain, loss, len(a)), abs=1e-9)
    assert found.p == mcnemar_p(gain, loss)
    assert found.value == pytest.approx(a.mean() - b.mean())
    mirrored = paired_difference(b, a, own_frames(len(a)))
    assert (mirrored.low, mirrored.high, mirrored.p) == pytest.approx(
        (-found.high, -found.low, found.p)
    )


def test_repeats_that_are_all_alike_count_once() -> None:
    a, b, frames = np.array([1.0, 1, 1, 0, 1, 1]), np.array([0.0, 0, 1, 0, 0, 0]), own_frames(6)
    once = paired_difference(a, b, frames)
    fivefold = paired_difference(np.tile(a, 5), np.tile(b, 5), frames * 5)
    assert (fivefold.low, fivefold.high, fivefold.p) == pytest.approx((once.low, once.high, once.p))
    assert fivefold.n == 30


def test_partial_credit_narrows_a_paired_difference() -> None:
    a, b = np.tile([0.6, 0.7, 0.8], 10), np.tile([0.5, 0.5, 0.5], 10)
    found = paired_difference(a, b, own_frames(30))
    assert found.low > 0.1 and found.p < 0.001


def test_nothing_and_one_pair() -> None:
    none = np.array([])
    assert (
        paired_difference(none, none, [])
        == unpaired_difference(none, [], np.ones(2), ["a", "b"])
        == NOTHING
    )
    one = paired_difference(np.ones(1), np.zeros(1), ["a"])
    assert (one.value, one.p, one.high) == (1.0, 1.0, 1.0)
    assert tango_interval(0, 0, 1) == pytest.approx((-0.7935, 0.7935), abs=1e-4)


def test_a_single_frame_says_little_of_others() -> None:
    """One treatment: whatever its repeats say, interval and p-value are those of one pair."""
    a, b = np.array([1.0, 1, 1, 0] * 5), np.array([0.0, 0, 1, 0] * 5)
    found = paired_difference(a, b, ["x"] * 20)
    assert (found.low, found.high) == pytest.approx(tango_interval(0.5, 0, 1)) and found.p == 1.0
    assert (found.n, found.initial_frames) == (20, 1)
    apart = unpaired_difference(a, ["x"] * 20, b, ["y"] * 20)
    assert apart.p == 1.0 and apart.initial_frames == 1 and apart.low < -0.3


@pytest.mark.parametrize("n", [3, 10, 40])
def test_equal_differences_have_an_honest_interval(n: int) -> None:
    found = paired_difference(np.ones(n), np.full(n, 0.4), own_frames(n))
    assert found.value == pytest.approx(0.6)
    assert found.low < 0.6 - 0.8 / n and found.high > 0.6 + 0.4 / n
    halves = paired_difference(np.ones(n), np.full(n, 0.5), own_frames(n))
    assert abs((halves.high - halves.low) - (found.high - found.low)) < 0.05


graded = st.sampled_from([0.0, 0.1, 0.2, 0.3, 1 / 3, 0.4, 0.5, 0.6, 2 / 3, 0.7, 0.9, 1.0])


studies = (
    st.lists(st.tuples(graded, graded), min_size=1, max_size=12)
    | st.tuples(st.tuples(graded, graded), st.integers(1, 30)).map(lambda one: [one[0]] * one[1]),
    st.integers(1, 12),
)


@settings(max_examples=300)
@given(*studies)
def test_any_graded_study_has_an_interval_around_its_difference(
    drawn: list[tuple[float, float]], frames: int
) -> None:
    require_an_interval(drawn, frames)


@pytest.mark.slow
@settings(max_examples=4000, deadline=None)
@given(*studies)
def test_4000_graded_studies_have_intervals_around_their_differences(
    drawn: list[tuple[float, float]], frames: int
) -> None:
    require_an_interval(drawn, frames)


def require_an_interval(drawn: list[tuple[float, float]], frames: int) -> None:
    a, b = np.array(drawn).T
    names = [str(i % frames) for i in range(len(a))]
    for found in (
        paired_difference(a, b, names),
        Difference(
            float(a.mean() - b.mean()),
            *newcombe_interval(
                (float(a.mean()), float(b.mean())),
                (effective_trials(a, names), effective_trials(b, names)),
            ),
            1.0,
            len(a),
        ),
    ):
        assert found.value is not None
        assert -1 <= found.low <= found.value <= found.high <= 1 and found.high - found.low > 0.01
        assert 0 < found.p <= 1


@settings(max_examples=100)
@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from([1e-3, 1.0, 3.7, 1e3, 1e6, 1e9]))
def test_tangos_interval_exists_for_any_counts(gain: float, loss: float, n: float) -> None:
    total = max(1.0, gain + loss)
    low, high = tango_interval(gain / total * n, loss / total * n, n)
    assert (
        -1 <= low <= (gain - loss) / total + 1e-9
        and (gain - loss) / total - 1e-9 <= high <= 1
        and low < high
    )


def test_scores_that_are_whole_but_for_rounding_are_whole() -> None:
    a, b = np.array([1.0] * 7 + [0.0] * 8), np.array([1.0] * 12 + [0.0] * 3)
    almost = unpaired_difference(a * (1 - 2e-16), own_frames(15), b, own_frames(15))
    assert almost.p == barnard_p(a, b)


def test_unpaired_whole_scores_take_newcombe_and_barnard() -> None:
    a, b = np.array([1.0] * 7 + [0.0] * 8), np.array([1.0] * 12 + [0.0] * 3)
    found = unpaired_difference(a, own_frames(15), b, own_frames(15))
    assert (found.low, found.high) == pytest.approx(newcombe_interval((7 / 15, 12 / 15), (15, 15)))
    # scipy's documentation prints 0.068153 for this table
    assert found.p == pytest.approx(0.0682, abs=1e-3)
    assert found.n == 30
    assert barnard_p(np.ones(4), np.ones(3)) == 1.0


def test_unpaired_partial_credit_takes_permutations() -> None:
    a, b = np.array([0.1, 0.2, 0.3, 0.2]), np.array([0.8, 0.9, 0.7, 0.9])
    assert permutation_p(a, b) == pytest.approx(2 / math.comb(8, 4), abs=0.005)
    found = unpaired_difference(a, own_frames(4), b, own_frames(4))
    assert found.p == permutation_p(a, b) and found.high < 0


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_corrects_as_defined(p_values: list[float]) -> None:
    corrected, m = holm(p_values), len(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        slow = max((sum(x >= y for x in p_values) * y for y in p_values if y <= p), default=0)
        assert q == pytest.approx(min(1.0, slow)) or len(set(p_values)) < m
        assert p <= q <= min(1.0, m * p) + 1e-12


def test_impossible_counts_are_refused() -> None:
    for gain, loss, n in ((3, 0, 2), (-1, 0, 2), (0, 0, 0)):
        with pytest.raises(ValueError, match="discordant"):
            tango_interval(gain, loss, n)


def test_no_p_value_is_zero() -> None:
    for moved in (np.ones(3000), np.tile([1.0, 0.5], 1500)):
        assert 0 < sign_flip_p(moved) < 1e-300
        frames = own_frames(3000)
        assert paired_difference(moved, np.zeros(3000), frames).p == sign_flip_p(moved)
    assert 0 < mcnemar_p(5000, 0) == mcnemar_p(0, 5000) < 1e-300
    assert barnard_p(np.ones(200), np.zeros(200)) > 0


def test_an_unpaired_p_value_is_that_of_the_difference_beside_it() -> None:
    """A frame with twenty trials counts as twenty on both sides of the comparison."""
    often = ["often"] * 20
    a = np.array([1.0] * 20 + [0.0] * 20)
    b = 1 - a
    frames = [*often, *own_frames(20)]
    found = unpaired_difference(a, frames, b, frames)
    assert found.value == 0 and found.p == 1  # means of frames are 1/21 and 20/21
    c = np.array([1.0] * 20 + [1.0] * 19 + [0.0])
    unsure = unpaired_difference(c, frames, b, frames)
    assert unsure.low < 0 and unsure.p > 0.05


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_equal_repeats_weigh_nothing(scores: list[float], m: int, k: int) -> None:
    a, b = np.array(scores), np.array(scores[::-1]) ** 2
    weights = np.full(len(a), float(m)), np.full(len(b), float(k))
    assert permutation_p(a, b, 300, weights=weights) == permutation_p(a, b, 300)
