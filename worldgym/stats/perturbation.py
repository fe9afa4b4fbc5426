"""What an edit costs a policy: the paired drop between a task and its edited twin, on the same
initial frames and seeds.

drop = nominal rate minus edited rate: above 0 the edit harms. An edit with a new goal asks for
something else, so that its drop also holds how much harder that is; it is kept apart and enters no
correction and no agreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np

from worldgym.io.attempts import Attempted
from worldgym.io.run_records import results
from worldgym.stats.comparison import NOTHING, Difference, holm, paired_difference
from worldgym.stats.drop_agreement import DropAgreement, drop_agreement
from worldgym.stats.per_frame import Numbers
from worldgym.stats.success_rates import Interval

EXAMPLES = 3  # pictures of an axis that a report shows
Kind = tuple[str, bool]  # axis, whether the goal is a new one
A = TypeVar("A", bound=Attempted)


@dataclass(frozen=True)
class TwinPair:
    """A trial and its edited twin, of one policy on one initial frame and seed."""

    nominal: Attempted
    edited: Attempted

    @property
    def scored(self) -> bool:
        return self.nominal.score is not None and self.edited.score is not None


def split(records: Iterable[A]) -> tuple[list[A], list[A]]:
    """(ordinary attempts, attempts of edited tasks whose twin is in the log too). Rates and
    comparisons are of the first."""
    records = list(records)
    names = {r.task for r in records}
    edited = [r for r in records if r.nominal in names]
    return [r for r in records if r.nominal not in names] if edited else records, edited


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Nominal rate minus edited rate over pairs of a trial and its edited twin: above 0 the edit
    harms."""

    drop: float | None
    """in [-1, 1]; null without a scored pair"""
    low: float
    """lower end of its 95 % interval"""
    high: float
    """upper end"""
    p: float
    """p-value of "no drop", of this row alone"""
    n: int
    """pairs in which both trials are scored"""
    initial_frames: int
    """their initial frames"""
    unpaired: int
    """pairs in which one trial has no score"""


@dataclass(frozen=True, kw_only=True)
class PolicyDrop(Drop):
    """The drop of one policy under one kind of edit."""

    policy: str
    """its name"""
    axis: str
    """kind of edit"""
    nominal_rate: float | None
    """success rate on the tasks as they were, over the scored pairs"""
    edited_rate: float | None
    """success rate on their edited twins"""
    true_drop: float | None = None
    """the drop in truth, over the scored pairs whose truth is known; null where there is none"""
    true_n: int = 0
    """initial frames of these pairs"""
    p_holm: float | None = None
    """p corrected for all rows without a new goal; null with a new goal"""


@dataclass(frozen=True)
class EditedExample:
    """An edited task beside the task that it was made from."""

    task: str
    """name of the edited task"""
    nominal: str
    """name of the task as it was"""
    instruction: str
    """of the edited task"""
    nominal_instruction: str
    """of the task as it was"""
    frame: str | None
    """PNG of the edited initial frame, relative to RUN; null where none was kept"""
    nominal_frame: str | None
    """PNG of the initial frame as it was"""


@dataclass(frozen=True, kw_only=True)
class AxisDrop(Drop):
    """The drop under one kind of edit, over all policies."""

    axis: str
    """kind of edit"""
    new_goal: bool
    """whether the edit asks for something else, so that the drop also holds how much harder it is
    """
    cells: tuple[PolicyDrop, ...]
    """the same for each policy"""
    examples: tuple[EditedExample, ...]
    """at least one for each edit, as far as there are any"""
    together: Interval
    """interval that holds for all kinds of edit with the same kind of goal together (Bonferroni)"""


@dataclass(frozen=True)
class EditedDrops:
    """What edited tasks cost the policies against the tasks that they were made from."""

    axes: tuple[AxisDrop, ...]
    """by kind of edit, the most harmful first, those with a new goal last"""
    truth: DropAgreement | None
    """predicted drops against true ones, without new goals; null where no true drop is known"""


def edited_drops(records: Iterable[Attempted], policies: Sequence[str]) -> EditedDrops | None:
    """None without an edited task. Repeats of one initial frame count as correlated."""
    pairs = _pairs(records)
    if not pairs:
        return None
    cells = _corrected({kind: _cells(kind[0], found, policies) for kind, found in pairs.items()})
    axes = []
    for (axis, new_goal), found in pairs.items():
        axes.append(
            AxisDrop(
                axis=axis,
                new_goal=new_goal,
                **_drop(found),
                cells=cells[axis, new_goal],
                examples=_examples(found),
                together=_together(found, sum(goal == new_goal for _, goal in pairs)),
            )
        )
    axes.sort(key=lambda axis: (axis.new_goal, -round(_harm(axis), 9), axis.axis))
    both_known = [
        _both_drops(own)
        for (_, new_goal), found in pairs.items()
        for policy in policies
        if not new_goal and (own := _known([p for p in found if p.edited.policy == policy]))
    ]
    return EditedDrops(tuple(axes), drop_agreement(both_known))


def _pairs(records: Iterable[Attempted]) -> dict[Kind, list[TwinPair]]:
    """A task edited by hand without an axis counts as "edited"."""
    outcome = results(records)
    trials = {r.key: r for r in outcome.finished + outcome.failed}
    found: dict[Kind, list[TwinPair]] = defaultdict(list)
    for r in trials.values():
        twin = None if r.nominal is None else trials.get((r.policy, r.nominal, r.repeat))
        if twin is not None:
            found[r.axis or "edited", r.new_goal].append(TwinPair(twin, r))
    return found


def _cells(axis: str, pairs: Sequence[TwinPair], policies: Sequence[str]) -> tuple[PolicyDrop, ...]:
    cells = []
    for policy in policies:
        if mine := [pair for pair in pairs if pair.edited.policy == policy]:
            known = {**_drop(mine), **_rates(mine), **_true_drop(mine)}
            cells.append(PolicyDrop(policy=policy, axis=axis, **known))
    return tuple(cells)


def _corrected(cells: Mapping[Kind, tuple[PolicyDrop, ...]]) -> dict[Kind, tuple[PolicyDrop, ...]]:
    """With p_holm over all cells without a new goal."""
    same_goal = [cell for (_, new_goal), own in cells.items() if not new_goal for cell in own]
    p_holm = iter(holm([cell.p for cell in same_goal]))
    return {
        kind: own if kind[1] else tuple(replace(cell, p_holm=next(p_holm)) for cell in own)
        for kind, own in cells.items()
    }


def _harm(axis: AxisDrop) -> float:
    return -2.0 if axis.drop is None else axis.drop


def _drop(pairs: Sequence[TwinPair]) -> dict[str, Any]:
    """The fields of a `Drop`."""
    scored = [pair for pair in pairs if pair.scored]
    numbers = asdict(_difference(scored))
    return {"drop": numbers.pop("value"), **numbers, "unpaired": len(pairs) - len(scored)}


def _together(pairs: Sequence[TwinPair], kinds: int) -> Interval:
    difference = _difference([pair for pair in pairs if pair.scored], 1 - 0.05 / kinds)
    return difference.low, difference.high


def _difference(scored: Sequence[TwinPair], level: float = 0.95) -> Difference:
    A, B = _scores(scored)
    frames = [pair.nominal.task for pair in scored]
    return paired_difference(A, B, frames, level) if scored else NOTHING


def _rates(pairs: Sequence[TwinPair]) -> dict[str, float | None]:
    A, B = _scores([pair for pair in pairs if pair.scored])
    return {
        "nominal_rate": float(A.mean()) if len(A) else None,
        "edited_rate": float(B.mean()) if len(B) else None,
    }


def _scores(pairs: Sequence[TwinPair]) -> tuple[Numbers, Numbers]:
    return np.array([p.nominal.score for p in pairs], np.float64), np.array(
        [p.edited.score for p in pairs], np.float64
    )


def _true_drop(pairs: Sequence[TwinPair]) -> dict[str, Any]:
    known = _known(pairs)
    if not known:
        return {}
    return {"true_drop": _both_drops(known)[1], "true_n": len({p.edited.task for p in known})}


def _known(pairs: Sequence[TwinPair]) -> list[TwinPair]:
    """Scored pairs whose truth is known on both sides."""
    return [
        pair
        for pair in pairs
        if pair.scored and pair.nominal.truth is not None and pair.edited.truth is not None
    ]


def _both_drops(known: Sequence[TwinPair]) -> tuple[float, float]:
    """Predicted and true drop over the same pairs, each pair counting once on both sides."""
    A, B = _scores(known)
    truths = [int(bool(p.nominal.truth)) - int(bool(p.edited.truth)) for p in known]
    return float(np.mean(A - B)), float(np.mean(truths))


def _examples(pairs: Sequence[TwinPair]) -> tuple[EditedExample, ...]:
    """One pair an edit, then another of each; an edit is the first part of its tasks' names."""
    edits: dict[str, dict[str, TwinPair]] = defaultdict(dict)
    for pair in pairs:
        edits[pair.edited.task.partition("/")[0]].setdefault(pair.edited.task, pair)
    rounds = [[own[task] for task in sorted(own)] for _, own in sorted(edits.items())]
    chosen = [row[i] for i in range(EXAMPLES) for row in rounds if i < len(row)]
    return tuple(
        EditedExample(
            task=pair.edited.task,
            nominal=pair.nominal.task,
            instruction=pair.edited.instruction,
            nominal_instruction=pair.nominal.instruction,
            frame=pair.edited.frame,
            nominal_frame=pair.nominal.frame,
        )
        for pair in chosen[: max(EXAMPLES, len(rounds))]
    )
