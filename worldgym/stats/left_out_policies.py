"""Does a calibration of world model and judge help? Each policy of a run with known truth is
corrected by the other policies, never by itself, and compared with its truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from worldgym.errors import InputError
from worldgym.io.run_records import RunHeader, TrialRecord, results
from worldgym.stats.evaluator_calibration import EvaluatorCalibration
from worldgym.stats.judge_calibration import Corrected, Verdicts
from worldgym.stats.perturbation import split


@dataclass(frozen=True)
class LeftOutRate:
    """One policy over its tasks, or (task not empty) in one of them. All in [0, 1]."""

    policy: str
    task: str
    raw: float
    """as judged in the world model"""
    corrected: float
    """by the calibration from the other policies"""
    low: float
    """of its 95 % interval"""
    high: float
    truth: float


@dataclass(frozen=True)
class LeftOutGaps:
    """Over policies, or over cells of policy and task. Gaps and biases in points."""

    count: int
    raw_gap: float
    corrected_gap: float
    raw_bias: float
    corrected_bias: float
    held: float
    """share of the 95 % intervals that hold the truth"""

    @staticmethod
    def of(rates: Sequence[LeftOutRate]) -> LeftOutGaps:
        raw = 100 * np.array([rate.raw - rate.truth for rate in rates])
        corrected = 100 * np.array([rate.corrected - rate.truth for rate in rates])
        held = [rate.low - 1e-9 <= rate.truth <= rate.high + 1e-9 for rate in rates]
        return LeftOutGaps(
            len(rates),
            float(np.abs(raw).mean()),
            float(np.abs(corrected).mean()),
            float(raw.mean()),
            float(corrected.mean()),
            float(np.mean(held)),
        )


@dataclass(frozen=True)
class LeftOutCheck:
    """source: what each policy was corrected by: "recordings" of other policies, or "run", other
    policies' trials of the same run.   uncorrected: policies that others do not correct."""

    source: str
    policies: tuple[LeftOutRate, ...]
    over_policies: LeftOutGaps
    over_cells: LeftOutGaps
    uncorrected: tuple[str, ...]

    @property
    def helps(self) -> bool:
        """Whether policy means lie nearer to the truth with the correction than without."""
        return self.over_policies.corrected_gap < self.over_policies.raw_gap


def leave_policies_out(
    header: RunHeader,
    records: Iterable[TrialRecord],
    calibration: EvaluatorCalibration | None = None,
) -> LeftOutCheck:
    """calibration: from recorded rollouts; None = the run's own trials, whose truth is known,
    instead of replays. Edited twins are left out. InputError without two policies whose truth is
    known."""
    known = [r for r in results(split(records)[0]).finished if r.truth is not None]
    scored = [r for r in known if r.succeeded is not None]
    names = list(dict.fromkeys(r.policy for r in scored))
    if len(names) < 2:
        raise InputError(
            "leaving policies out needs two or more whose truth is known trial by trial; evaluate "
            "several with a truth.csv"
        )
    source = "run" if calibration is None else "recordings"
    if calibration is None:
        outcomes = [(r.policy, r.group, bool(r.truth), r.succeeded) for r in known]
        calibration = EvaluatorCalibration.of(
            header.world, header.judge, outcomes, [r.task for r in known]
        )
    calibration.check(header.judge, header.world)
    policies, cells, uncorrected = list[LeftOutRate](), list[LeftOutRate](), list[str]()
    for name in names:
        others = calibration.without(name)
        own = defaultdict[str, list[TrialRecord]](list)
        for record in scored:
            if record.policy == name:
                own[record.group].append(record)
        whole = others.corrected_over(name, {task: _verdicts(some) for task, some in own.items()})
        if whole.value is None:
            uncorrected.append(name)
            continue
        policies.append(_rate(name, "", [r for some in own.values() for r in some], whole))
        for task, some in own.items():
            found = others.corrected_over(name, {task: _verdicts(some)})
            cells.append(_rate(name, task, some, found))
    if not policies:
        raise InputError(
            "no policy is corrected by the others: there are too few successes or failures whose "
            "truth is known; record more rollouts"
        )
    over = LeftOutGaps.of(policies), LeftOutGaps.of(cells)
    return LeftOutCheck(source, tuple(policies), *over, tuple(uncorrected))


def _verdicts(records: Sequence[TrialRecord]) -> Verdicts:
    return [bool(r.succeeded) for r in records], [r.task for r in records]


def _rate(policy: str, task: str, records: Sequence[TrialRecord], found: Corrected) -> LeftOutRate:
    raw = float(np.mean([bool(r.succeeded) for r in records]))
    truth = float(np.mean([bool(r.truth) for r in records]))
    value = raw if found.value is None else found.value
    return LeftOutRate(policy, task, raw, value, found.low, found.high, truth)
