"""Counts, success rate and truth of some of a run's trials: of one cell of policy x task, or of all
tasks of a policy."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from worldgym.errors import InputError
from worldgym.io.attempts import Attempted
from worldgym.stats.planned_trials import AbsentTrials
from worldgym.stats.run_calibration import RunCalibration
from worldgym.stats.success_rates import Rate, score_rate, wilson_interval
from worldgym.types import ROUNDING

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
    """true success rate, in which every task weighs as its scored trials do in `rate`; null where
    it is unknown of one of them"""
    truth_low: float = 0.0
    """lower end of its 95 % interval (Wilson's; no shorter than the tasks' own ones joined, where
    their weights are not their numbers of true trials)"""
    truth_high: float = 1.0
    """upper end"""

    @property
    def truth_pooled(self) -> bool:
        """Whether `truth_rate` is the share of the true successes, because tasks weigh alike."""
        if self.truth_rate is None or not self.truth_trials:
            return False
        return abs(self.truth_rate - self.truth_successes / self.truth_trials) < ROUNDING


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
        "truth_rate": truth.rate,
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


@dataclass(frozen=True)
class _Truth:
    """successes, trials: of all that is known."""

    successes: float
    trials: int
    rate: float | None
    low: float
    high: float


def _truth(trials: Sequence[Attempted], known: Mapping[Key, Counted]) -> _Truth:
    """The true rate: of single trials where they are known, else of their group. Groups weigh as
    they do in the rate of the scored trials, so that a world that is right about each of them is
    right about all."""
    found = _true_counts(trials, known)
    total = math.fsum(successes for successes, _ in found.values())
    count = sum(n for _, n in found.values())
    weights = Counter((r.policy, r.group) for r in trials if r.score is not None)
    if not weights:  # nothing to compare it with
        weights = Counter({key: n for key, (_, n) in found.items()})
    if any(key not in found for key in weights):
        return _Truth(total, count, None, 0.0, 1.0)
    counted = [(weights[key], *found[key]) for key in sorted(weights)]
    return _Truth(total, count, *_weighted(counted))


def _true_counts(trials: Sequence[Attempted], known: Mapping[Key, Counted]) -> dict[Key, Counted]:
    """True successes and trials of each group, where there are any."""
    single = _truths(trials)
    own = defaultdict[Key, list[bool]](list)
    for policy, task, group in sorted({(r.policy, r.task, r.group) for r in trials}):
        if (policy, task) in single:
            own[policy, group].append(single[policy, task])
    whole = {(r.policy, r.group) for r in trials} - own.keys()
    return {
        **{key: (float(sum(truths)), len(truths)) for key, truths in own.items()},
        **{key: known[key] for key in sorted(whole) if key in known and known[key][1]},
    }


def _weighted(groups: Sequence[tuple[int, float, int]]) -> tuple[float | None, float, float]:
    """(rate, low, high) over groups of (weight, successes, trials > 0).

    Weights like the trials: the pooled rate and its Wilson interval. Else Wilson's at the effective
    number of trials (L. Kish (1965), Survey Sampling, section 11.7), no shorter than the groups'
    own intervals joined as by G. Y. Zou and A. Donner (2008), Statistics in Medicine 27, 1693-1702:
    the former alone covers 89 % where a group with few trials varies most.
    """
    if not groups:
        return None, 0.0, 1.0
    weights, successes, trials = np.array(groups, np.float64).T
    N = float(trials.sum())
    if np.all(weights * N == trials * weights.sum()):
        total = math.fsum(successes)
        return total / N, *wilson_interval(total, N)
    share = weights / weights.sum()
    rates = successes / trials
    rate = float(np.clip(share @ rates, 0.0, 1.0))
    worth = 1.0 / float(share**2 @ (1 / trials))
    low, high = wilson_interval(rate * worth, worth)
    lows, highs = np.array([wilson_interval(s, n) for _, s, n in groups]).T
    below = float(np.linalg.norm(share * (rates - lows)))
    above = float(np.linalg.norm(share * (highs - rates)))
    return rate, max(0.0, min(low, rate - below)), min(1.0, max(high, rate + above))


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
