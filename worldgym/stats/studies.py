"""From a run log and real trials beside it to estimates of the real success rate."""

from __future__ import annotations

import difflib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldgym.errors import InputError
from worldgym.io.run_records import TrialRecord, results
from worldgym.stats.evaluator_calibration import EvaluatorCalibration
from worldgym.stats.perturbation import split
from worldgym.stats.prediction import Frames, Powered, prediction_powered
from worldgym.stats.success_counts import RateInterval
from worldgym.stats.tables import RealTrial

NAMED = 3  # real initial frames that a sentence names
Says = Callable[[TrialRecord], float]  # what a scored trial says of the real one, in [0, 1]


@dataclass(frozen=True, kw_only=True)
class PolicyEstimate(Powered):
    """corrected: the real rate from the generated trials alone, by the calibration of world model
    and judge; None without one.   absent: real initial frames that are not in the run, in words;
    "" = all are."""

    policy: str
    corrected: RateInterval | None = None
    absent: str = ""


@dataclass(frozen=True)
class Estimates:
    """level: of all intervals.   mixture: the real initial frames were drawn at random from all of
    the run's."""

    level: float
    mixture: bool
    estimates: tuple[PolicyEstimate, ...]


def estimate(
    records: Iterable[TrialRecord],
    real: Sequence[RealTrial],
    level: float = 0.95,
    mixture: bool = False,
    calibration: EvaluatorCalibration | None = None,
) -> Estimates:
    """For every policy of the real trials. InputError for a policy not in the run, and for one none
    of whose real initial frames is.

    calibration: what the world model says of a trial becomes the probability of a true success,
    by what replays of its task have shown.

    A real trial's twin is every scored trial of its policy and task (initial frame) in the run,
    with the judge's probability of success where it gave one, else its verdict. Its group is the
    run's; a task that was not generated brings its own, or counts as a group by itself. mixture:
    the real frames were drawn at random from all that the run holds, so all are one group, and what
    the world model knows about whole tasks is credited too. InputError if one is not in the run."""
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, not {level}; 0.95 is usual")
    generated, tried = _by_policy(_asked_for(records, real))
    estimates = []
    for policy in dict.fromkeys(trial.policy for trial in real):
        if policy not in generated:
            known = ", ".join(sorted(generated)) or "none"
            raise InputError(
                f"the run has no scored trial of the policy {policy} of the real table; it has "
                f"{known}: use one name"
            )
        own = [trial for trial in real if trial.policy == policy]
        absent = _absent(policy, own, tried[policy], mixture)
        says, corrected = _reading(policy, generated[policy], calibration, level)
        frames = _frames(own, generated[policy], says)
        if mixture:
            frames = replace(
                frames,
                groups=np.zeros_like(frames.groups),
                extra_groups=np.zeros_like(frames.extra_groups),
            )
        powered = vars(prediction_powered(frames, level))
        estimates.append(
            PolicyEstimate(**powered, policy=policy, corrected=corrected, absent=absent)
        )
    return Estimates(level, mixture, tuple(estimates))


def _asked_for(records: Iterable[TrialRecord], real: Sequence[RealTrial]) -> list[TrialRecord]:
    """Attempts of unedited tasks, and those of edits that real trials have."""
    ordinary, twins = split(records)
    tried = {trial.task for trial in real}
    edits = {_edit(record) for record in twins if record.task in tried}
    kept = [record for record in twins if _edit(record) in edits]
    return [*ordinary, *(replace(r, group=f"{_edit(r)}{r.group}") for r in kept)]


def _edit(twin: TrialRecord) -> str:
    """ "mug/drawer-open/10003" => "mug/"."""
    return twin.task.removesuffix(str(twin.nominal))


def _by_policy(
    records: Iterable[TrialRecord],
) -> tuple[dict[str, dict[str, list[TrialRecord]]], dict[str, set[str]]]:
    """(scored trials by policy and initial frame, initial frames that each policy tried at all)."""
    scored: dict[str, dict[str, list[TrialRecord]]] = defaultdict(lambda: defaultdict(list))
    tried: dict[str, set[str]] = defaultdict(set)
    found = results(records)
    for record in (*found.finished, *found.failed):
        tried[record.policy].add(record.task)
        if record.finished and record.score is not None:
            scored[record.policy][record.task].append(record)
    return scored, tried


def _absent(policy: str, real: Sequence[RealTrial], tried: set[str], mixture: bool) -> str:
    """Which real initial frames are not the run's, in words. InputError where none is, or one not
    that was to be drawn from them."""
    frames = dict.fromkeys(trial.task for trial in real)
    absent = [task for task in frames if task not in tried]
    if not absent:
        return ""
    shown = ", ".join(absent[:NAMED]) + (", ..." if len(absent) > NAMED else "")
    (like,) = difflib.get_close_matches(absent[0], sorted(tried), 1, cutoff=0.0)
    said = (
        f"{len(absent)} of {len(frames)} real initial frames of {policy} are not in the run: "
        f"{shown}; its tasks are named like {like}"
    )
    if len(absent) == len(frames):
        raise InputError(f"{said}: name those that were tried for real")
    if mixture:
        raise InputError(f"{said}; they were not drawn from the run's: leave out --mixture")
    return said


def _reading(
    policy: str,
    generated: Mapping[str, Sequence[TrialRecord]],
    calibration: EvaluatorCalibration | None,
    level: float,
) -> tuple[Says, RateInterval | None]:
    """What a scored trial of this policy says, and the rate that all of them give."""
    if calibration is None:
        return _generated, None
    tasks = defaultdict[str, tuple[list[bool], list[str]]](lambda: ([], []))
    for record in (r for own in generated.values() for r in own):
        tasks[record.group][0].append(bool(record.succeeded))
        tasks[record.group][1].append(record.task)
    whole = calibration.corrected_over(policy, tasks, level)
    ends = dict[str, tuple[float, float]]()
    for task, verdicts in tasks.items():
        rate = calibration.corrected_over(policy, {task: verdicts}, level).value
        ends[task] = (0.0, 1.0) if rate is None else calibration.expected(policy, task, rate)

    def says(record: TrialRecord) -> float:
        failed, succeeded = ends[record.group]
        return failed + (succeeded - failed) * _generated(record)

    return says, RateInterval(whole.value, whole.low, whole.high)


def _frames(
    real: Sequence[RealTrial], generated: Mapping[str, Sequence[TrialRecord]], says: Says
) -> Frames:
    """One value per initial frame on each side, in the order of their names, groups numbered: rows
    may come in any order."""
    found: dict[str, list[RealTrial]] = defaultdict(list)
    for trial in real:
        found[trial.task].append(trial)
    trials = dict(sorted(found.items()))
    group_of = {
        task: min((t.group for t in own if t.group), default=task) for task, own in trials.items()
    }
    group_of |= {task: min(r.group for r in own) for task, own in generated.items()}
    number = {group: i for i, group in enumerate(sorted(set(group_of.values())))}
    twin = {task: _mean([says(r) for r in own]) for task, own in generated.items()}
    extra = sorted(task for task in generated if task not in trials)
    return Frames(
        real=np.array([_mean([trial.score for trial in own]) for own in trials.values()]),
        twin=np.array([twin.get(task, np.nan) for task in trials]),
        groups=np.array([number[group_of[task]] for task in trials], int),
        extra=np.array([twin[task] for task in extra], np.float64),
        extra_groups=np.array([number[group_of[task]] for task in extra], int),
    )


def _mean(values: Sequence[float]) -> float:
    """To the last bit the same in any order."""
    return math.fsum(values) / len(values)


def _generated(record: TrialRecord) -> float:
    """What the world model says of a scored trial, in [0, 1]."""
    return float(record.probability if record.probability is not None else record.score or 0.0)
