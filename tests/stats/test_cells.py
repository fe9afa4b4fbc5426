"""Means that order policies are over tasks that all of them have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.stats.agreement import agreement_of_cells
from worldgym.stats.cells import CellPair, Cells


def cells(rates: dict[str, dict[str, tuple[float, float]]]) -> list[CellPair]:
    """By policy and task: rates in the world model and in truth."""
    return [
        CellPair(policy, task, *row, 50, 50)
        for policy, own in rates.items()
        for task, row in own.items()
    ]


def test_a_policy_is_not_worse_for_having_tried_a_hard_task() -> None:
    """Both orders are right on the common task; with means over unequal tasks 0.15 is lost."""
    found = agreement_of_cells(
        cells(
            {
                "good": {"easy": (0.95, 0.90), "hard": (0.60, 0.30)},
                "bad": {"easy": (0.75, 0.75)},
            }
        )
    )
    assert found.mmrv == found.top1_regret == 0 and set(found.mmrv_variants.values()) == {0.0}
    assert found.units["common_tasks"] == 1 and found.units["tasks"] == 2
    assert found.mean_abs_gap is not None and found.mean_abs_gap > 0  # each over its own cells


def test_without_a_common_task_policies_have_no_order() -> None:
    found = agreement_of_cells(
        cells({"a": {"easy": (0.9, 0.8)}, "b": {"hard": (0.4, 0.5)}, "c": {"hard": (0.1, 0.2)}})
    )
    assert found.mmrv is found.top1_regret is None and found.mmrv_variants == {}
    assert found.intervals["mmrv"] == {"tasks": None, "policies": None}
    assert found.units["common_tasks"] == 0 and found.mean_abs_gap is not None


rates = st.integers(0, 10).map(lambda k: k / 10)
table = st.integers(2, 4).flatmap(
    lambda tasks: st.lists(
        st.lists(st.tuples(rates, rates), min_size=tasks, max_size=tasks), min_size=2, max_size=5
    )
)


@settings(max_examples=10, deadline=None)
@given(table, st.integers(0, 3))
def test_what_only_some_policies_tried_moves_no_order(
    rows: list[list[tuple[float, float]]], extra: int
) -> None:
    whole = {f"p{i}": {f"t{j}": rate for j, rate in enumerate(row)} for i, row in enumerate(rows)}
    once = Cells.of(cells(whole))
    weights = np.ones((1, len(once.world)))
    for same, plain in zip(once.compared_means(weights), once.policy_means(weights), strict=True):
        np.testing.assert_array_equal(same, plain)
    more = {**whole, "p0": {**whole["p0"], **{f"u{k}": (1.0, 0.0) for k in range(extra)}}}
    before, after = agreement_of_cells(cells(whole)), agreement_of_cells(cells(more))
    assert after.mmrv == pytest.approx(before.mmrv)
    assert after.top1_regret == pytest.approx(before.top1_regret)
    assert after.mmrv_variants == pytest.approx(before.mmrv_variants)
