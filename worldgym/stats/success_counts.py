"""Counts, success rate and truth of some of a run's trials: of one cell of policy x task, or of all
tasks of a policy."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from worldgym.errors import InputError
from worldgym.io.attempts import Attempted
from worldgym.stats.planned_trials import AbsentTrials
from worldgym.stats.run_calibration import RunCalibration
from worldgym.stats.success_rates import Rate, score_rate, wilson_rate

Key = tuple[str, str]  # policy, group
Counted = tuple[float, int]  # successes, trials


@dataclass(frozen=True)
class RateInterval:
    """A rate in [0, 1] with its 95 % interval."""

    rate: float | None
    """null where it is not defined"""
    low: float
    """lower end; 0 where nothing is known"""
    high: float
    """upper end; 1 where nothing is known"""

    @staticmethod
    def of(rate: Rate) -> RateInterval:
        return RateInterval(rate.value, rate.low, rate.high)


@dataclass(frozen=True, kw_only=True)
class SuccessCounts:
    """trials + unscored + failed + missing = planned."""

    policy: str
    """its name"""
    trials: int
    """scored trials: a trial that the judge did not score, or that failed, is counted apart"""
    successes: float
    """sum of the scores, so partial credit is a fraction"""
    unscored: int
    """finished trials that the judge did not score"""
    failed: int
    """trials that failed in every attempt"""
    planned: int
    """trials that the run was to have"""
    missing: int
    """planned trials that the log lacks"""
    initial_frames: int
    """initial frames of the scored trials"""
    rate: float | None
    """success rate in the world model, in [0, 1]; null without a scored trial"""
    low: float
    """lower end of its 95 % interval over initial frames"""
    high: float
    """upper end"""
    corrected: RateInterval | None = None
    """share of full successes without the errors of the judge, or of world model and judge
    together; null without a calibration"""
    truth_trials: int = 0
    """distinct initial frames whose truth is known, however often they were repeated and whatever
    the judge said; or the trials behind a truth that is known of the whole task"""
    truth_successes: float = 0
    """true successes among these"""
    truth_rate: float | None = None
    """true success rate; null where it is unknown"""
    truth_low: float = 0.0
    """lower end of its 95 % Wilson interval"""
    truth_high: float = 1.0
    """upper end"""


@dataclass(frozen=True, kw_only=True)
class CellSummary(SuccessCounts):
    """One policy on one task."""

    task: str
    """name of the task, which has many initial frames (the group of the log's trials)"""
    absent: tuple[AbsentTrials, ...] = ()
    """which trials are missing, the first 20 rows; empty where an older log does not tell"""
    trust: str | None = None
    """green, amber, red or unchecked, by the trust report of the world; null without one"""


@dataclass(frozen=True, kw_only=True)
class PolicySummary(SuccessCounts):
    """One policy over all its tasks, trials pooled."""

    mean_over_tasks: float | None
    """mean of its tasks' success rates; null where a task has no scored trial"""


def success_numbers(
    trials: Sequence[Attempted],
    calibration: RunCalibration | None = None,
    known: Mapping[Key, Counted] = MappingProxyType({}),
) -> dict[str, Any]:
    """The fields of `SuccessCounts` that follow from one record a trial.

    known: truth of whole groups, by policy and group. InputError where the log contradicts itself.
    """
    scored = [(r.score, r.task) for r in trials if r.score is not None]
    rate = score_rate([score for score, _ in scored], [task for _, task in scored])
    failed = sum(not r.finished for r in trials)
    truth = _truth(trials, known)
    return {
        "trials": rate.trials,
        "successes": _whole(rate.successes),
        "unscored": len(trials) - failed - len(scored),
        "failed": failed,
        "initial_frames": rate.frames,
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
        "corrected": None if calibration is None else _corrected(trials, calibration),
        "truth_trials": truth.trials,
        "truth_successes": _whole(truth.successes),
        "truth_rate": truth.value,
        "truth_low": truth.low,
        "truth_high": truth.high,
    }


def mean_over_tasks(cells: Sequence[CellSummary]) -> float | None:
    """Mean of the cells' rates; None where one of them has none."""
    known = [cell.rate for cell in cells if cell.rate is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(cells) else None


def _corrected(trials: Sequence[Attempted], calibration: RunCalibration) -> RateInterval:
    """trials: of one policy."""
    said = defaultdict[str, list[bool]](list)
    frames = defaultdict[str, list[str]](list)
    for r in trials:
        if r.succeeded is not None:
            said[r.group].append(r.succeeded)
            frames[r.group].append(r.task)
    policy = trials[0].policy if trials else ""
    tasks = {group: (said[group], frames[group]) for group in said}
    right = calibration.corrected_over(policy, tasks)
    return RateInterval(right.value, right.low, right.high)


def _truth(trials: Sequence[Attempted], known: Mapping[Key, Counted]) -> Rate:
    """The true rate: of single trials where they are known, else of their group."""
    single = _truths(trials)
    told = {(r.policy, r.group) for r in trials if (r.policy, r.task) in single}
    whole = [known[key] for key in {(r.policy, r.group) for r in trials} - told if key in known]
    successes = math.fsum([*single.values(), *(successes for successes, _ in whole)])
    return wilson_rate(successes, len(single) + sum(count for _, count in whole))


def _truths(trials: Iterable[Attempted]) -> dict[tuple[str, str], bool]:
    """Known truth of each (policy, task). InputError where the log contradicts itself."""
    truths: dict[tuple[str, str], bool] = {}
    for r in trials:
        if r.truth is not None and truths.setdefault((r.policy, r.task), r.truth) != r.truth:
            raise InputError(
                f"the log holds both outcomes as truth of {r.policy} on {r.task}; run it again "
                f"with one set of truths"
            )
    return truths


def _whole(number: float) -> int | float:
    """12.0 => 12, so that counts read as counts."""
    return int(number) if number.is_integer() else number
