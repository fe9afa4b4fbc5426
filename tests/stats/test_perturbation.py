"""Drops are of pairs alone, sorted by harm, and compared with true drops where both arms are
known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from worldgym.io.run_records import TrialRecord
from worldgym.stats.comparison import holm, paired_difference
from worldgym.stats.perturbation import (
    EditedExample,
    edited_drops,
    split,
)


def trial(policy: str, task: str, score: float | None, **fields: Any) -> TrialRecord:
    reason = "" if score is not None else "unclear"
    return TrialRecord(
        policy,
        task,
        task.rpartition("/")[0],
        "go",
        **{"repeat": 0, "seed": 1, "score": score, "reason": reason} | fields,
    )


def pair(
    policy: str,
    edit: str,
    axis: str,
    name: str,
    scores: tuple[float | None, float | None],
    **fields: Any,
) -> list[TrialRecord]:
    twin = {"nominal": name, "axis": axis, "frame": f"frames/{edit}/{name}.png"} | fields
    return [
        trial(policy, name, scores[0], truth=True),
        trial(policy, f"{edit}/{name}", scores[1], truth=False, **twin),
    ]


def records() -> list[TrialRecord]:
    made = []
    for i in range(6):
        made += pair("p", "dim", "light", f"door/{i}", (1.0, 1.0 if i else 0.0))
        made += pair("p", "mug", "distractor", f"door/{i}", (1.0, 0.0))
        made += pair("q", "mug", "distractor", f"door/{i}", (float(i % 2), 0.0))
        made += pair("q", "shut", "goal", f"door/{i}", (float(i % 2), 0.0), new_goal=True)
    return made


def test_edited_trials_whose_twin_is_there_stand_apart() -> None:
    alone = trial("p", "dim/window/1", 1.0, nominal="window/1", axis="light")
    ordinary, edited = split([*records(), alone])
    assert (
        alone in ordinary
        and len(edited) == 4 * 6
        and not any(r.nominal for r in ordinary if r is not alone)
    )


def test_drops_are_paired_and_sorted() -> None:
    found = edited_drops(records(), ["p", "q"])
    assert found is not None
    assert [axis.axis for axis in found.axes] == ["distractor", "light", "goal"]
    distractor, light, goal = found.axes
    assert [cell.policy for cell in distractor.cells] == ["p", "q"]
    assert (light.drop, light.n, light.unpaired) == (pytest.approx(1 / 6), 6, 0)
    by_hand = paired_difference(
        np.ones(6), np.array([0.0, 1, 1, 1, 1, 1]), [f"door/{i}" for i in range(6)]
    )
    cell = light.cells[0]
    assert (cell.low, cell.high, cell.p) == (by_hand.low, by_hand.high, by_hand.p)
    assert (cell.nominal_rate, cell.edited_rate) == (1.0, pytest.approx(5 / 6))
    same = [*distractor.cells, *light.cells]
    assert [c.p_holm for c in same] == holm([c.p for c in same]) and goal.cells[0].p_holm is None
    assert distractor.examples[0] == EditedExample(
        task="mug/door/0",
        nominal="door/0",
        instruction="go",
        nominal_instruction="go",
        frame="frames/mug/door/0.png",
        nominal_frame=None,
    )


def test_a_pair_with_one_score_is_counted_apart() -> None:
    found = edited_drops(
        [*pair("p", "dim", "", "door/0", (1.0, None)), *pair("p", "dim", "", "door/1", (1.0, 0.0))],
        ["p"],
    )
    assert found is not None
    (axis,) = found.axes
    assert (axis.axis, axis.n, axis.unpaired, axis.drop) == ("edited", 1, 1, 1.0)
    nothing = edited_drops(pair("p", "dim", "", "door/0", (None, None)), ["p"])
    assert nothing is not None and nothing.axes[0].drop is None and nothing.axes[0].low == -1.0


def test_no_edit_no_figures() -> None:
    assert edited_drops([trial("p", "door/1", 1.0)], ["p"]) is None and edited_drops([], []) is None


def test_drops_against_true_ones() -> None:
    by_axis = edited_drops(records(), ["p", "q"])
    assert by_axis is not None and by_axis.truth is not None
    assert by_axis.truth.n == 3 and by_axis.axes[0].cells[0].true_drop == 1.0


def test_the_most_harmful_of_several_axes_has_an_interval_for_all_at_once() -> None:
    found = edited_drops(records(), ["p", "q"])
    assert found is not None
    distractor, light, goal = found.axes  # two axes with the same goal, one with a new one
    for axis in (distractor, light):
        low, high = axis.together
        assert low < axis.low and axis.high < high <= 1
    assert goal.together == (goal.low, goal.high)


def test_a_true_drop_is_of_the_pairs_of_the_drop() -> None:
    """A world that is right in every scored pair has the true drop, whatever was not scored."""
    made = []
    for i in range(6):
        nominal, edited = pair("p", "dim", "light", f"door/{i}", (1.0, float(i % 2 == 0)))
        edited = replace(edited, truth=i % 2 == 0)
        if i == 1:
            edited = replace(edited, score=None, reason="unclear")
        if i == 3:  # its truth is unknown
            nominal = replace(nominal, truth=None)
        made += [nominal, edited]
        if i == 0:  # tried twice
            made += [replace(nominal, repeat=1), replace(edited, repeat=1)]
    found = edited_drops(made, ["p"])
    assert found is not None and found.truth is not None
    (cell,) = found.axes[0].cells
    assert (cell.n, cell.true_n) == (6, 4)
    assert cell.true_drop == pytest.approx(1 / 5) and cell.drop == pytest.approx(2 / 6)
    assert found.truth.mean_abs_gap == pytest.approx(0) and found.truth.n == 1
