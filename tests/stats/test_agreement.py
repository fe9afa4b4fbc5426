from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.stats.agreement import agreement_of_cells
from worldgym.stats.cells import CellPair

rates = st.integers(0, 20).map(lambda k: k / 20)
cells = st.lists(
    st.builds(CellPair, st.sampled_from("abc"), st.sampled_from("xyz"), rates, rates), max_size=30
)


def pairs(*rows: tuple[str, float, float]) -> list[CellPair]:
    return [
        CellPair(policy, f"task-{i}", world, truth) for i, (policy, world, truth) in enumerate(rows)
    ]


def published(folder: Path) -> list[CellPair]:
    with (folder / "published" / "worldgym_scatter_points.csv").open(newline="") as file:
        return [
            CellPair(
                row["policy"],
                row["task"],
                float(row["wm_rate_pct"]) / 100,
                float(row["real_rate_pct"]) / 100,
                10,
                10,
            )
            for row in csv.DictReader(file)
        ]


def test_the_published_figures_are_reproduced(sample_data: Path) -> None:
    measured = agreement_of_cells(published(sample_data))
    assert measured.n == 51
    assert measured.pearson == pytest.approx(0.785, abs=5e-4)
    assert measured.spearman == pytest.approx(0.740, abs=5e-4)
    assert measured.policy_centred_pearson == pytest.approx(0.465, abs=5e-4)
    assert measured.policy_mean_only_pearson == pytest.approx(0.752, abs=5e-4)
    assert measured.policy_mean_only_pearson_real_means == pytest.approx(0.758, abs=5e-4)
    assert measured.mean_abs_gap == pytest.approx(3.33, abs=5e-3)
    assert measured.mmrv == 0


def test_the_published_ceiling_is_reproduced(sample_data: Path) -> None:
    ceiling = agreement_of_cells(published(sample_data)).noise_ceiling
    assert ceiling is not None
    least = ceiling.least
    assert (least.mean, least.low, least.high) == pytest.approx((0.87, 0.78, 0.93), abs=0.01)
    assert ceiling.most.mean == pytest.approx(1)  # from the robot's own frames, if these decide all
    assert ceiling.unlimited == pytest.approx(0.93, abs=0.01)


def test_ranges_of_the_published_figures_hold_the_value(sample_data: Path) -> None:
    measured = agreement_of_cells(published(sample_data))
    assert measured.pearson is not None and measured.rmse is not None
    low, high = measured.intervals["pearson"]["tasks"] or [1, -1]
    assert low < measured.pearson < high
    assert measured.intervals["pearson"]["policies"] is None  # three policies
    least, most = measured.leave_one_out["pearson"]["policies"] or [1, -1]
    assert least < 0.6 < measured.pearson < most  # without OpenVLA little agreement is left
    apart, alike = (measured.noise_free[kind].noise_share for kind in ("independent", "shared"))
    assert apart is not None and alike is not None and 0.2 < alike < apart < 1


def test_policy_means_alone_make_a_high_r_and_no_centred_one() -> None:
    cells = pairs(("good", 0.8, 0.7), ("good", 0.8, 0.9), ("poor", 0.2, 0.1), ("poor", 0.2, 0.3))
    measured = agreement_of_cells(cells)
    assert measured.pearson is not None and measured.pearson > 0.9
    assert measured.policy_mean_only_pearson == pytest.approx(measured.pearson)
    assert measured.policy_centred_pearson is None
    assert measured.mean_abs_gap == pytest.approx(0, abs=1e-9)


def test_task_difficulty_alone_has_no_task_centred_r() -> None:
    easy, hard = (
        [CellPair(p, "easy", 0.9, r) for p, r in (("a", 0.8), ("b", 1.0))],
        [CellPair(p, "hard", 0.1, 0.2) for p in "ab"],
    )
    measured = agreement_of_cells(easy + hard)
    assert measured.pearson is not None and measured.pearson > 0.9
    assert measured.task_centred_pearson is None


def test_gaps_are_in_points() -> None:
    measured = agreement_of_cells(pairs(("a", 0.5, 0.4), ("a", 0.7, 0.6), ("b", 0.2, 0.5)))
    assert measured.mean_abs_gap == pytest.approx(20)
    assert measured.rmse == pytest.approx(100 * ((0.01 + 0.01 + 0.09) / 3) ** 0.5)


@settings(max_examples=25)
@given(cells)
def test_a_perfect_world_agrees_perfectly(cells: list[CellPair]) -> None:
    measured = agreement_of_cells([CellPair(c.policy, c.task, c.truth, c.truth) for c in cells])
    for r in (
        measured.pearson,
        measured.spearman,
        measured.kendall,
        measured.policy_centred_pearson,
    ):
        assert r in (None, pytest.approx(1))
    assert measured.mean_abs_gap == (None if not cells else 0)
    assert measured.mmrv in (None, 0) and measured.top1_regret in (None, 0)
    assert measured.bias is None or measured.bias.value == 0


@settings(max_examples=25)
@given(cells)
def test_correlations_and_gaps_are_finite_and_mirror(cells: list[CellPair]) -> None:
    measured, mirrored = (
        agreement_of_cells(cells),
        agreement_of_cells([CellPair(c.policy, c.task, c.truth, c.world) for c in cells]),
    )
    for name in (
        "pearson",
        "spearman",
        "kendall",
        "policy_centred_pearson",
        "task_centred_pearson",
        "mean_abs_gap",
        "rmse",
    ):
        value = getattr(measured, name)
        assert value == (None if value is None else pytest.approx(getattr(mirrored, name)))
        assert value is None or np.isfinite(value)
    assert measured.pearson is None or -1 <= measured.pearson <= 1


@pytest.mark.parametrize("n", [0, 1, 2])
def test_below_three_cells_no_correlation(n: int) -> None:
    measured = agreement_of_cells(
        [CellPair("a", f"t{i}", 0.1 + i / 2, 0.2 + i / 2, 10, 10) for i in range(n)]
    )
    assert (measured.n, measured.pearson, measured.spearman, measured.kendall) == (
        n,
        None,
        None,
        None,
    )
    assert measured.noise_ceiling is None
    assert all(
        free.pearson is free.slope is free.noise_share is None
        for free in measured.noise_free.values()
    )
    assert (measured.bias is None) == (n == 0) and measured.mmrv is measured.top1_regret is None
    assert (measured.mean_abs_gap is None) == (measured.rmse is None) == (n == 0)


def test_without_spread_no_correlation() -> None:
    measured = agreement_of_cells(pairs(("a", 0.1, 0.2), ("b", 0.1, 0.9), ("c", 0.1, 0.1)))
    assert measured.pearson is measured.spearman is measured.kendall is None
    assert (
        agreement_of_cells(
            pairs(("a", 0.1, 0.2), ("b", 0.5, 0.9), ("c", 0.3, 0.1))
        ).policy_centred_pearson
        is None
    )


def test_the_ceiling_needs_trials_on_both_sides() -> None:
    assert (
        agreement_of_cells(
            [CellPair("a", f"t{i}", i / 5, i / 5, None, 10) for i in range(5)]
        ).noise_ceiling
        is None
    )


def test_separate_frames_leave_one_ceiling_and_one_correction() -> None:
    cells = [CellPair("a", f"t{i}", i / 9, i / 9, 10, 10) for i in range(10)]
    unknown, separate = agreement_of_cells(cells), agreement_of_cells(cells, separate=True)
    assert unknown.noise_free.keys() == {"independent", "shared"}
    assert separate.noise_free.keys() == {"independent"}
    ceiling = separate.noise_ceiling
    assert ceiling is not None and ceiling.least == ceiling.most and ceiling.most.mean < 1


def grid(names: list[str], tasks: int = 6) -> list[CellPair]:
    rng = np.random.default_rng(0)
    return [
        CellPair(name, f"t{j}", *rng.integers(0, 11, 2) / 10, 10, 10)
        for name in names
        for j in range(tasks)
    ]


def test_checkpoints_of_one_training_count_as_one() -> None:
    apart, series = (
        agreement_of_cells(grid([f"p{i}" for i in range(6)])),
        agreement_of_cells(grid([f"p@{i}k" for i in range(6)])),
    )
    assert apart.units == {"policies": 6, "families": 6, "tasks": 6, "common_tasks": 6}
    assert series.units == {"policies": 6, "families": 1, "tasks": 6, "common_tasks": 6}
    assert (
        apart.pearson == series.pearson
        and apart.intervals["pearson"]["tasks"] == series.intervals["pearson"]["tasks"]
    )
    for name, spans in series.intervals.items():
        assert spans["policies"] is None, name
        assert apart.intervals[name]["policies"] is not None, name
        assert series.leave_one_out[name]["policies"] is None


def test_a_family_is_left_out_together() -> None:
    """Without the five alike checkpoints no agreement is left, whichever other policy is kept."""
    cells = grid(["a", "b"]) + [
        CellPair(f"c@{i}", f"t{j}", j / 5, j / 5) for i in range(5) for j in range(6)
    ]
    found = agreement_of_cells(cells)
    least, most = found.leave_one_out["pearson"]["policies"] or [1, -1]
    rest = agreement_of_cells(grid(["a", "b"])).pearson
    assert rest is not None and least == pytest.approx(rest) and most > 0.5


@settings(max_examples=25)
@given(cells)
def test_every_interval_holds_its_value_and_nothing_is_nan(cells: list[CellPair]) -> None:
    found = agreement_of_cells(cells)
    values = {name: getattr(found, name) for name in found.intervals}
    for name, spans in found.intervals.items():
        for span in spans.values():
            assert span is None or span[0] - 1e-9 <= values[name] <= span[1] + 1e-9, name
    json.dumps(asdict(found), allow_nan=False)


def test_rates_outside_the_unit_interval_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        CellPair("a", "t", 50, 0.5)
