from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.stats.mmrv import VARIANTS, mmrv, top1_regret, weighted_mmrv, weighted_regret

rates = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


def slow(world: list[float], truth: list[float]) -> float:
    """The formula, loop by loop."""
    worst = []
    for S_i, R_i in zip(world, truth, strict=True):
        gaps = [
            abs(R_i - R_j)
            for S_j, R_j in zip(world, truth, strict=True)
            if (S_i < S_j) != (R_i < R_j)
        ]
        worst.append(max(gaps, default=0.0))
    return sum(worst) / len(worst)


@given(rates)
def test_it_is_the_formula(drawn: list[tuple[int, int]]) -> None:
    world, truth = ([value / 5 for value in column] for column in zip(*drawn, strict=True))
    assert mmrv(np.array(world), np.array(truth)) == pytest.approx(slow(world, truth))


def test_the_gap_is_the_real_one_and_the_same_order_costs_nothing() -> None:
    world, truth = np.array([0.1, 0.5, 0.9]), np.array([0.2, 0.3, 0.4])
    assert all(mmrv(world, truth, variant) == 0 for variant in VARIANTS)
    assert mmrv(world[::-1].copy(), truth) == pytest.approx((0.2 + 0.1 + 0.2) / 3)


def test_the_variants_differ_by_ties_in_the_world_model_alone() -> None:
    world, truth = np.array([0.5, 0.5, 0.9]), np.array([0.2, 0.4, 0.3])
    # "<" charges the tie to the really worse of the two, ">" to the really better one; a reversal
    # charges both
    assert mmrv(world, truth, "simpler") == pytest.approx((0.2 + 0.1 + 0.1) / 3)
    assert mmrv(world, truth, "simpler-code") == pytest.approx((0.0 + 0.2 + 0.1) / 3)
    assert mmrv(world, truth, "reversals") == pytest.approx((0.0 + 0.1 + 0.1) / 3)


def test_one_policy_has_no_order_and_none_is_an_error() -> None:
    assert mmrv(np.array([0.5]), np.array([0.1])) == 0
    with pytest.raises(ValueError, match="simpler-code"):
        mmrv(np.array([]), np.array([]))
    with pytest.raises(ValueError, match="reversals"):
        mmrv(np.array([0.5]), np.array([0.5]), "other")


@settings(max_examples=30)
@given(rates, st.randoms(use_true_random=False))
def test_the_order_of_a_sum_decides_no_tie(drawn: list[tuple[int, int]], shuffle: Random) -> None:
    """Means of the same cells summed in another order differ in their last bits, and tie all the
    same."""
    cells = [
        [value / 5, 0.1, 0.3, 0.7, 1 / 3] for column in zip(*drawn, strict=True) for value in column
    ]
    told = []
    for _ in range(2):
        means = []
        for row in cells:
            shuffle.shuffle(row)
            total = 0.0
            for rate in row:
                total += rate
            means.append(total / len(row))
        told.append(np.array(means).reshape(2, -1))
    for measure in (mmrv, top1_regret):
        assert measure(*told[0]) == pytest.approx(measure(*told[1]), abs=1e-9)


@settings(max_examples=30)
@given(rates, st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_a_policy_that_counts_twice_is_two_policies(
    drawn: list[tuple[int, int]], times: list[int]
) -> None:
    world, truth = (np.array(column) / 5 for column in zip(*drawn, strict=True))
    counts = np.array(times[: len(world)])
    args = world[None], truth[None], counts[None].astype(float)
    many, regret = weighted_mmrv(*args)[0], weighted_regret(*args)[0]
    if not counts.any():
        assert np.isnan(many) and np.isnan(regret)
        return
    assert many == pytest.approx(mmrv(np.repeat(world, counts), np.repeat(truth, counts)))
    assert regret == pytest.approx(top1_regret(np.repeat(world, counts), np.repeat(truth, counts)))


def test_regret_is_the_true_rate_that_the_choice_costs() -> None:
    truth = np.array([0.2, 0.9, 0.6])
    assert top1_regret(np.array([0.1, 0.8, 0.7]), truth) == 0
    assert top1_regret(np.array([0.1, 0.6, 0.7]), truth) == pytest.approx(0.3)
    assert top1_regret(np.array([0.7, 0.6, 0.7]), truth) == pytest.approx(0.9 - (0.2 + 0.6) / 2)
    assert top1_regret(np.array([0.3]), np.array([0.9])) == 0
    third = np.array([0.1 + 0.2, 0.3])  # equal but for the last bit
    assert top1_regret(third, np.array([0.0, 1.0])) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at least one policy"):
        top1_regret(np.array([]), np.array([]))


def test_rates_that_differ_by_rounding_alone_have_no_regret() -> None:
    rates = np.array([0.7, np.mean([0.4, 0.85, 0.85])])
    assert rates[0] != rates[1]
    assert top1_regret(rates, rates) == 0.0
    assert np.isnan(weighted_regret(rates[None], rates[None], np.zeros((1, 2)))).all()
