"""The planned trials of a run, and which of them its log lacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from worldgym.errors import InputError
from worldgym.io.attempts import Attempted
from worldgym.io.run_records import PLANNED_KEY, Results, RunHeader

TaskRepeat = tuple[str, int]
UNNAMED = ""  # stands for tasks of which an older log knows the number alone
ABSENT = 20  # rows of absent trials that a summary names of a policy on a task
Repeats = Mapping[str, Mapping[str, int]]  # group => task => number of repeats


@dataclass(frozen=True)
class AbsentTrials:
    """Repeats of an initial frame that the log lacks, whether run or failed."""

    initial_frame: str
    """its name (the task of the log's trials)"""
    first: int
    """the first repeat of a row without a gap"""
    last: int
    """the last one"""


@dataclass(frozen=True)
class Planned:
    """The trials that every policy was to have.

    groups:    by task group, without edited twins.   edited: trials of edited twins of a policy.
    known:     whether the log's header has the plan; if not, the trials that any policy of the log
               has are taken, because older logs do not have it.
    shard:     "2/4" where the run is such a part of a larger one; groups and edited are then those
               of the part."""

    groups: Mapping[str, frozenset[TaskRepeat]] = field(default_factory=dict)
    edited: frozenset[TaskRepeat] = frozenset()
    known: bool = False
    shard: str | None = None

    def without(self, groups: Iterable[str]) -> Planned:
        """The same without these task groups."""
        left_out = set(groups)
        kept = {group: trials for group, trials in self.groups.items() if group not in left_out}
        return Planned(kept, self.edited, self.known, self.shard)

    def missing(self, there: Iterable[Attempted], group: str) -> frozenset[TaskRepeat]:
        """The trials of a task group that are not among those of one policy, whether these ran or
        failed."""
        return self.groups.get(group, frozenset()).difference((r.task, r.repeat) for r in there)

    def lacking(self, there: Iterable[Attempted]) -> int:
        """How many trials of all task groups are not among those of one policy."""
        found = {(r.task, r.repeat) for r in there}
        return sum(len(trials - found) for trials in self.groups.values())

    def frames(self, group: str) -> int:
        """Number of initial frames of a task group."""
        return len({task for task, _ in self.groups.get(group, ()) if task != UNNAMED})

    @property
    def repeats(self) -> dict[str, int]:
        """How often each task is tried."""
        counts: dict[str, int] = defaultdict(int)
        for trials in self.groups.values():
            for task, _ in trials:
                counts[task] += 1
        return dict(counts)


@dataclass(frozen=True)
class Completeness:
    """How much of a run's plan its log holds."""

    known: bool
    """whether the log states the plan; for an older log, the trials that any policy has are
    taken"""
    shard: str | None
    """"2/4" where the log is such a part of a larger run"""
    planned: int
    """planned trials of all policies, without edited tasks"""
    missing: int
    """those of them that the log lacks"""
    edited_missing: int
    """planned trials of edited tasks that the log lacks"""
    finished: int
    """trials of all tasks, edited and red ones too, that finished"""
    failed: int
    """those that failed in every attempt"""


def planned_trials(header: RunHeader, ordinary: Sequence[Attempted]) -> Planned:
    """From the header where it says so, else from the ordinary (not edited) attempts of all
    policies together.

    InputError if the header's plan is invalid.
    """
    told = header.config.get(PLANNED_KEY)
    shard = header.config.get("shard")
    if told is None:
        return _seen(header, ordinary, shard)
    try:
        part, parts = (1, 1) if shard is None else (int(number) for number in shard.split("/"))
        mine = set(_in_order(told["tasks"], told["edited"])[part - 1 :: parts])
        groups = {group: frozenset(_trials(tasks) & mine) for group, tasks in told["tasks"].items()}
        edited = frozenset(
            trial for tasks in told["edited"].values() for trial in _trials(tasks) & mine
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"the log's header has a plan that cannot be read ({error!r}); restore the log from a "
            f"copy"
        ) from error
    return Planned(
        {group: trials for group, trials in groups.items() if trials}, edited, True, shard
    )


def _seen(header: RunHeader, ordinary: Sequence[Attempted], shard: str | None) -> Planned:
    """Of a log whose header does not tell: what any policy has, and never fewer than the `trials` a
    group that were asked for."""
    seen: dict[str, set[TaskRepeat]] = defaultdict(set)
    for r in ordinary:
        seen[r.group].add((r.task, r.repeat))
    asked = header.config.get("trials")
    if shard is None and isinstance(asked, int):
        for trials in seen.values():
            trials |= {(UNNAMED, i) for i in range(asked - len(trials))}
    return Planned({group: frozenset(trials) for group, trials in seen.items()}, shard=shard)


def completeness(
    planned: Planned,
    policies: Sequence[str],
    outcome: Results[Attempted],
    edited: Iterable[Attempted],
    missing: int,
) -> Completeness:
    """outcome: one attempt a trial.   edited: attempts of edited twins.   missing: ordinary trials
    of all policies that the log lacks."""
    wanted = {(policy, *trial) for policy in policies for trial in planned.edited}
    return Completeness(
        known=planned.known,
        shard=planned.shard,
        planned=len(policies) * sum(map(len, planned.groups.values())),
        missing=missing,
        edited_missing=len(wanted - {r.key for r in edited}),
        finished=len(outcome.finished),
        failed=len(outcome.failed),
    )


def absent_trials(missing: Iterable[TaskRepeat]) -> tuple[AbsentTrials, ...]:
    """By initial frame, the first `ABSENT` of them."""
    found: list[AbsentTrials] = []
    for task, repeat in sorted(missing):
        before = found[-1] if found else None
        if before is not None and (before.initial_frame, before.last + 1) == (task, repeat):
            found[-1] = AbsentTrials(task, before.first, repeat)
        elif len(found) == ABSENT:
            break
        else:
            found.append(AbsentTrials(task, repeat, repeat))
    return tuple(row for row in found if row.initial_frame != UNNAMED)


def _trials(repeats: Mapping[str, int]) -> set[TaskRepeat]:
    return {(task, i) for task, count in repeats.items() for i in range(count)}


def _in_order(tasks: Repeats, edited: Repeats) -> list[TaskRepeat]:
    """All trials in the plan's order, see `worldgym.evaluation.trials.plan_trials`: by group, then
    by repeat."""
    ordered = []
    for group in sorted({*tasks, *edited}):
        members = [*tasks.get(group, {}).items(), *edited.get(group, {}).items()]
        for repeat in range(max(count for _, count in members)):
            ordered += [(task, repeat) for task, count in members if repeat < count]
    return ordered
