"""Which trials a run has, and in which batches they are rolled out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from itertools import groupby
from typing import Any

from worldgym.errors import InputError
from worldgym.io.attempts import TrialKey, trial_key
from worldgym.policies.policy_protocol import Policy
from worldgym.types import Task, Trial


def plan_trials(tasks: Sequence[Task], count: int, seed: int) -> list[Trial]:
    """`count` trials per group: its initial frames in order, then again as repeats 1, 2, ...

    An edited task whose nominal twin is there too is tried exactly as often as its twin, with the
    same seeds. InputError if that twin is an edited task itself."""
    if count < 1:
        raise InputError(f"--trials is {count}: ask for 1 or more per task group")
    if not tasks:
        raise InputError("there is no task to roll out; give one or more")
    names = {task.name for task in tasks}
    own = [task for task in tasks if task.nominal not in names]
    twins = [task for task in tasks if task.nominal in names]
    originals = {task.name for task in own}
    if odd := next((task for task in twins if task.nominal not in originals), None):
        raise InputError(
            f"task {odd.name}: its unedited twin, {odd.nominal}, is an edited task itself; where "
            f"this is a part of a suite, give the whole suite folder"
        )
    ordered = sorted(own, key=lambda task: task.group)
    groups = [list(members) for _, members in groupby(ordered, key=lambda task: task.group)]
    trials = [
        Trial(members[i % len(members)], i // len(members), seed)
        for members in groups
        for i in range(count)
    ]
    repeats = defaultdict(list)
    for trial in trials:
        repeats[trial.task.name].append(trial.repeat)
    trials += [Trial(task, repeat, seed) for task in twins for repeat in repeats[str(task.nominal)]]
    return sorted(trials, key=lambda trial: (trial.task.group, trial.repeat))


def planned_repeats(trials: Sequence[Trial]) -> dict[str, dict[str, dict[str, int]]]:
    """For the log's header: under "tasks" the number of repeats of every task by group, in the
    plan's order; under "edited" the same of edited tasks whose nominal twin is there too, which
    enter no rate."""
    names = {trial.task.name for trial in trials}
    planned: dict[str, dict[str, dict[str, int]]] = {"tasks": {}, "edited": {}}
    for trial in trials:
        kind = "edited" if trial.task.nominal in names else "tasks"
        repeats = planned[kind].setdefault(trial.task.group, {})
        repeats[trial.task.name] = repeats.get(trial.task.name, 0) + 1
    return planned


def even_batch(trials: int, most: int) -> int:
    """Rows of the smallest batches that are as few as those of `most` rows: 24 trials, 20 at most,
    make two batches of 12."""
    return -(-trials // -(-trials // most))


def left_of(policy: Policy[Any], trials: Sequence[Trial], done: Container[TrialKey]) -> list[Trial]:
    """What a policy has not done yet."""
    return [trial for trial in trials if trial_key(policy.name, trial) not in done]


def in_batches(
    policy: Policy[Any], trials: Sequence[Trial], size: int, done: Container[TrialKey]
) -> Iterator[list[Trial]]:
    """What a policy has not done yet; trials of like lengths together."""
    left = sorted(left_of(policy, trials, done), key=lambda trial: trial.task.steps)
    for start in range(0, len(left), size):
        yield left[start : start + size]
