from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.stats.mmrv import VARIANTS, mmrv

rates = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


def slow(world: list[float], truth: list[float]) -> float:
    """The formula, loop by loop."""
    worst = []
    for S_i, R_i in zip(world, truth, strict=True):
        gaps = [abs(R_i - R_j) for S_j, R_j in zip(world, truth, strict=True) if (S_i < S_j) != (R_i < R_j)]
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
    # "<" charges the tie to the really worse of the two, ">" to the really better one; a reversal charges both
    assert mmrv(world, truth, "simpler") == pytest.approx((0.2 + 0.1 + 0.1) / 3)
    assert mmrv(world, truth, "simpler-code") == pytest.approx((0.0 + 0.2 + 0.1) / 3)
    assert mmrv(world, truth, "reversals") == pytest.approx((0.0 + 0.1 + 0.1) / 3)


def test_one_policy_has_no_order_and_none_is_an_error() -> None:
    assert mmrv(np.array([0.5]), np.array([0.1])) == 0
    with pytest.raises(ValueError, match="simpler-code"):
        mmrv(np.array([]), np.array([]))
    with pytest.raises(ValueError, match="reversals"):
        mmrv(np.array([0.5]), np.array([0.5]), "other")
