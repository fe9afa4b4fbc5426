"""No interval claims certainty: where drawing again shows no spread, there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.stats.agreement import AROUND, agreement_of_cells, bootstrap, measures
from worldgym.stats.cells import CellPair, Cells
from worldgym.stats.resampling import (
    RESAMPLES,
    fisher_interval,
    normal_interval,
    regret_interval,
)

RISING = [(0.2, 0.1), (0.45, 0.28), (0.5, 0.3), (0.6, 0.7), (0.9, 0.8), (0.95, 0.9)]


@pytest.mark.parametrize("tasks", [5, 6])
def test_few_points_in_the_same_order_have_no_interval(tasks: int) -> None:
    """Half of such studies would miss a rank correlation of 0.95 (docs/statistics.md)."""
    found = agreement_of_cells(
        [CellPair("p", f"t{i}", *row, 10, 10) for i, row in enumerate(RISING[:tasks])]
    )
    assert found.spearman == pytest.approx(1) and found.kendall == pytest.approx(1)
    assert found.intervals["spearman"]["tasks"] is found.intervals["kendall"]["tasks"] is None
    assert found.intervals["pearson"]["tasks"] is not None
    ordered = agreement_of_cells(
        [CellPair(f"p{i}", "t", *row, 10, 10) for i, row in enumerate(RISING[:tasks])]
    )
    assert ordered.mmrv == ordered.top1_regret == 0
    assert ordered.intervals["mmrv"]["policies"] is None
    assert ordered.intervals["top1_regret"]["policies"] is None


@pytest.mark.parametrize("interval", [fisher_interval, normal_interval, regret_interval])
@pytest.mark.parametrize("point", [0.0, 0.3, 1.0])
def test_draws_that_are_all_alike_leave_no_interval(interval: object, point: float) -> None:
    assert callable(interval)
    assert interval(point, np.full(RESAMPLES, point), 7) is None
    few = np.full(RESAMPLES, 0.0)
    few[:10] = 0.4  # of 2,000: outside the percentiles
    assert regret_interval(0.0, few, 7) is None


rates = st.integers(0, 4).map(lambda k: k / 4)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(rates, rates), min_size=5, max_size=8), st.booleans())
def test_no_interval_is_of_zero_width(rows: list[tuple[float, float]], of_tasks: bool) -> None:
    names = [("p", f"t{i}") if of_tasks else (f"p{i}", "t") for i in range(len(rows))]
    cells = Cells.of([CellPair(*name, *row) for name, row in zip(names, rows, strict=True)])
    spans = bootstrap(measures(cells), cells)
    assert spans.keys() >= AROUND.keys()
    for name, over in spans.items():
        for span in over.values():
            assert span is None or span[1] - span[0] > 1e-9, name
