from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.stats.agreement import Agreement, CellPair, agreement, mean_abs_gap, pearson, policy_centred_pearson

rates = st.integers(0, 20).map(lambda k: k / 20)
cells = st.lists(st.builds(CellPair, st.sampled_from("abc"), st.sampled_from("xyz"), rates, rates), max_size=30)


def pairs(*rows: tuple[str, float, float]) -> list[CellPair]:
    return [CellPair(policy, f"task-{i}", world, truth) for i, (policy, world, truth) in enumerate(rows)]


def test_the_published_figure_is_reproduced(sample_data: Path) -> None:
    with (sample_data / "published" / "worldgym_scatter_points.csv").open(newline="") as file:
        published = [
            CellPair(row["policy"], row["task"], float(row["wm_rate_pct"]) / 100, float(row["real_rate_pct"]) / 100)
            for row in csv.DictReader(file)
        ]
    measured = agreement(published)
    assert measured.n == 51
    assert measured.pearson == pytest.approx(0.785, abs=5e-4)
    assert measured.policy_centred_pearson == pytest.approx(0.465, abs=5e-4)
    assert measured.mean_abs_gap == pytest.approx(3.33, abs=5e-3)


def test_policy_means_alone_make_a_high_r_and_no_centred_one() -> None:
    cells = pairs(("good", 0.8, 0.7), ("good", 0.8, 0.9), ("poor", 0.2, 0.1), ("poor", 0.2, 0.3))
    measured = agreement(cells)
    assert measured.pearson is not None and measured.pearson > 0.9
    assert measured.policy_centred_pearson is None
    assert measured.mean_abs_gap == pytest.approx(0, abs=1e-9)


def test_the_gap_is_taken_between_policy_means_in_points() -> None:
    assert mean_abs_gap(pairs(("a", 0.5, 0.4), ("a", 0.7, 0.6), ("b", 0.2, 0.5))) == pytest.approx(20)


@given(cells)
def test_a_perfect_world_agrees_perfectly(cells: list[CellPair]) -> None:
    measured = agreement([CellPair(c.policy, c.task, c.truth, c.truth) for c in cells])
    assert measured.pearson in (None, pytest.approx(1))
    assert measured.policy_centred_pearson in (None, pytest.approx(1))
    assert measured.mean_abs_gap == (None if not cells else 0)


@given(cells)
def test_measures_are_finite_and_mirror(cells: list[CellPair]) -> None:
    measured, mirrored = agreement(cells), agreement([CellPair(c.policy, c.task, c.truth, c.world) for c in cells])
    assert measured == mirrored
    assert measured.pearson is None or -1 <= measured.pearson <= 1
    if measured.pearson is not None:
        assert measured.pearson == pytest.approx(np.corrcoef([c.world for c in cells], [c.truth for c in cells])[0, 1])


@pytest.mark.parametrize("n", [0, 1, 2])
def test_below_three_cells_no_correlation(n: int) -> None:
    cells = pairs(("a", 0.1, 0.2), ("a", 0.5, 0.9))[:n]
    assert agreement(cells) == Agreement(None, None, mean_abs_gap(cells), n)
    assert (mean_abs_gap(cells) is None) == (n == 0)


def test_without_spread_no_correlation() -> None:
    flat, line = np.array([0.1, 0.1, 0.1]), np.array([0.0, 0.5, 1.0])
    assert pearson(flat, line) is None
    assert pearson(line, flat) is None
    assert pearson(line, 1 - line) == pytest.approx(-1)
    assert policy_centred_pearson(pairs(("a", 0.1, 0.2), ("b", 0.5, 0.9), ("c", 0.3, 0.1))) is None
