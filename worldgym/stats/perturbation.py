"""What an edit costs a policy: the paired drop between a task and its edited twin, on the same
initial frames and seeds.

drop = nominal rate less edited rate: above 0 the edit harms. An edit with a new goal asks for
something else, so that its drop also holds how much harder that is; it is kept apart and enters no
correction and no agreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from worldgym.io.run_records import TrialRecord, results
from worldgym.stats.comparison import NOTHING, Difference, holm, paired_difference
from worldgym.stats.correlation import pearson
from worldgym.types import ROUNDING

LARGE = 0.1  # true drops from here on are expected to be predicted with the right sign
EXAMPLES = 3  # pictures of an axis that a report shows


@dataclass(frozen=True)
class TwinPair:
    """A trial and its edited twin, of one policy on one initial frame and seed."""

    nominal: TrialRecord
    edited: TrialRecord

    @property
    def scored(self) -> bool:
        return self.nominal.score is not None and self.edited.score is not None


def split(records: Iterable[TrialRecord]) -> tuple[list[TrialRecord], list[TrialRecord]]:
    """(ordinary attempts, attempts of edited tasks whose twin is in the log too). Rates and
    comparisons are of the first."""
    records = list(records)
    names = {r.task for r in records}
    return [r for r in records if r.nominal not in names], [
        r for r in records if r.nominal in names
    ]


def perturbed(records: Iterable[TrialRecord], policies: Sequence[str]) -> dict[str, Any] | None:
    """Drops by axis, the most harmful axis first, those with a new goal last; None without an
    edited task. Plain JSON.

    axes:  axis, new_goal, drop, low, high, p over all policies (trials of one initial frame hang
    together, see comparison.py), n
           pairs, unpaired (trials of which one arm has no score), cells, and examples: task,
           nominal, instruction and nominal_instruction, frame and nominal_frame (PNG files relative
           to RUN, or None), one an edit in turn. together: [low, high] that holds for all axes with
           the same kind of goal at once (Bonferroni), as the most harmful one of several needs it.
    cells: the same of each policy, with nominal_rate and edited_rate, p_holm (for the number of
    cells with the same goal), and,
           where the truth of both arms is known, true_drop over true_n initial frames.
    truth: predicted against true drops over the cells with the same goal, or None (see
    `drop_agreement`)."""
    pairs = _pairs(records)
    if not pairs:
        return None
    axes = [_axis(axis, new_goal, found, policies) for (axis, new_goal), found in pairs.items()]
    for axis in axes:
        kinds = sum(other["new_goal"] == axis["new_goal"] for other in axes)
        axis["together"] = _together(pairs[axis["axis"], axis["new_goal"]], kinds)
    axes.sort(key=lambda axis: (axis["new_goal"], -round(_harm(axis), 9), axis["axis"]))
    cells = [cell for axis in axes if not axis["new_goal"] for cell in axis["cells"]]
    for cell, p in zip(cells, holm([cell["p"] for cell in cells]), strict=True):
        cell["p_holm"] = p
    return {"axes": axes, "truth": drop_agreement(cells)}


def drop_agreement(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """How well predicted drops follow true ones; None where no cell knows both.

    pearson over n cells (None where it is not defined); large: cells whose true drop is 10 points
    or more, same_sign: those of them whose predicted drop is above 0; mean_abs_gap in points.
    """
    known = [
        cell for cell in cells if cell.get("true_drop") is not None and cell["drop"] is not None
    ]
    if not known:
        return None
    predicted, true = (
        np.array([cell[key] for cell in known], np.float64) for key in ("drop", "true_drop")
    )
    r, large = float(pearson(predicted, true, np.ones(len(known)))), true >= LARGE - ROUNDING
    return {
        "n": len(known),
        "pearson": None if np.isnan(r) else r,
        "large": int(large.sum()),
        "same_sign": int((predicted[large] > ROUNDING).sum()),
        "mean_abs_gap": float(100 * abs(predicted - true).mean()),
    }


def _pairs(records: Iterable[TrialRecord]) -> dict[tuple[str, bool], list[TwinPair]]:
    """By (axis, new goal). A task edited by hand without an axis counts as "edited"."""
    outcome = results(records)
    trials = {r.key: r for r in outcome.finished + outcome.failed}
    found: dict[tuple[str, bool], list[TwinPair]] = defaultdict(list)
    for r in trials.values():
        twin = None if r.nominal is None else trials.get((r.policy, r.nominal, r.repeat))
        if twin is not None:
            found[r.axis or "edited", r.new_goal].append(TwinPair(twin, r))
    return found


def _axis(
    axis: str, new_goal: bool, pairs: Sequence[TwinPair], policies: Sequence[str]
) -> dict[str, Any]:
    cells = []
    for policy in policies:
        if mine := [pair for pair in pairs if pair.edited.policy == policy]:
            cells.append(
                {"policy": policy, "axis": axis, **_drop(mine), **_rates(mine), **_true_drop(mine)}
            )
    return {
        "axis": axis,
        "new_goal": new_goal,
        **_drop(pairs),
        "cells": cells,
        "examples": _examples(pairs),
    }


def _harm(axis: Mapping[str, Any]) -> float:
    return -2.0 if axis["drop"] is None else float(axis["drop"])


def _drop(pairs: Sequence[TwinPair]) -> dict[str, Any]:
    scored = [pair for pair in pairs if pair.scored]
    return {**_named(_difference(scored)), "unpaired": len(pairs) - len(scored)}


def _together(pairs: Sequence[TwinPair], kinds: int) -> list[float]:
    difference = _difference([pair for pair in pairs if pair.scored], 1 - 0.05 / kinds)
    return [difference.low, difference.high]


def _difference(scored: Sequence[TwinPair], level: float = 0.95) -> Difference:
    A, B = _scores(scored)
    frames = [pair.nominal.task for pair in scored]
    return paired_difference(A, B, frames, level) if scored else NOTHING


def _named(difference: Difference) -> dict[str, Any]:
    numbers = asdict(difference)
    return {"drop": numbers.pop("value"), **numbers}


def _rates(pairs: Sequence[TwinPair]) -> dict[str, float | None]:
    A, B = _scores([pair for pair in pairs if pair.scored])
    return {
        "nominal_rate": float(A.mean()) if len(A) else None,
        "edited_rate": float(B.mean()) if len(B) else None,
    }


def _scores(
    pairs: Sequence[TwinPair],
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]:
    return np.array([p.nominal.score for p in pairs], np.float64), np.array(
        [p.edited.score for p in pairs], np.float64
    )


def _true_drop(pairs: Sequence[TwinPair]) -> dict[str, Any]:
    truths = {
        pair.edited.task: (pair.nominal.truth, pair.edited.truth)
        for pair in pairs
        if pair.nominal.truth is not None and pair.edited.truth is not None
    }
    if not truths:
        return {}
    return {
        "true_drop": float(np.mean([int(a) - int(b) for a, b in truths.values()])),
        "true_n": len(truths),
    }


def _examples(pairs: Sequence[TwinPair]) -> list[dict[str, Any]]:
    """One pair an edit, then another of each; an edit is the first part of its tasks' names."""
    edits: dict[str, dict[str, TwinPair]] = defaultdict(dict)
    for pair in pairs:
        edits[pair.edited.task.partition("/")[0]].setdefault(pair.edited.task, pair)
    rounds = [[own[task] for task in sorted(own)] for _, own in sorted(edits.items())]
    chosen = [row[i] for i in range(EXAMPLES) for row in rounds if i < len(row)][
        : max(EXAMPLES, len(rounds))
    ]
    return [
        {
            "task": pair.edited.task,
            "nominal": pair.nominal.task,
            "instruction": pair.edited.instruction,
            "nominal_instruction": pair.nominal.instruction,
            "frame": pair.edited.frame,
            "nominal_frame": pair.nominal.frame,
        }
        for pair in chosen
    ]
