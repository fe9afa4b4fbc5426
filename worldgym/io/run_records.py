"""What a run log holds: its header, and one record a trial attempt."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Generic, TypeVar

from worldgym.io.attempts import Attempted, Derived, TrialKey, check_score
from worldgym.io.records import first_difference, from_mapping
from worldgym.io.run_files import actions_beside, files_named
from worldgym.io.text import clean, cleaned
from worldgym.types import ONE_VIEW, Curve, Vote, check_curve

VERSION = 5  # of what is written; docs/log.md says what each added
READABLE_VERSIONS = (1, 2, 3, 4, VERSION)
A = TypeVar("A", bound=Attempted)

TASKS_KEY = "tasks_sha256"  # in `config`: of everything about the tasks that a result depends on
CONTENTS_KEY = "task_sha256"  # in `config`: the same of each task by its name
EDITS_KEY = "edits"  # in `config`: the original of every edited task, if there are any
CHECKPOINTS_KEY = "checkpoints"  # in `config`: identities of the policies, and of our codec
# in `config`: the trials of every policy, of all shards, see
# `worldgym.evaluation.trials.planned_repeats`
PLANNED_KEY = "planned"
ENGINE_KEY = "engine"  # in `config`: what computed the frames, for other kernels round otherwise
DEVICE_SETTING = "device"  # in `config.judge`: what it computes on, where that is no CPU
# in `config`: what the world can that is not what ours can, see
# `worldgym.world.capabilities.Capabilities`; absent of a world like ours
CAPABILITIES_KEY = "world_can"
FAMILIARITY_KEY = (
    "familiarity"  # in `config`: by which limit initial frames were called strange; null = by none
)
CODE_KEY = "code"  # of a policy: digest of its source and of the files that it is made of
# flags of a trial: the world does not know the frame that it starts from;
STRANGE = "strange initial frame"
SOLVED = "already solved at the start"  # the judge takes that frame for a success
VIEWS_KEY = "views"  # in `config`: names of the cameras that videos show side by side, if not one
_MAY_DIFFER = ("command", "environment", "started")  # between the two starts of one run


@dataclass(frozen=True)
class GroupTruth:
    """What is known of a policy on a whole group: `successes` of `trials`, fractional with partial
    credit."""

    policy: str
    group: str
    trials: int
    successes: float

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.trials:
            raise ValueError(
                f"{self.successes} successes in {self.trials} trials are no known result"
            )


@dataclass(frozen=True)
class RunHeader:
    """What was run: the first line of the log, and one more each time that the run grows, of which
    the last counts (see `worldgym.io.run_growth`). All but `command`, `environment` and `started`
    is the run's identity.

    config:      the resolved options, with the hashes of prompts and checkpoints.   command: as
    typed.
    policies:    one {name, spec, chunk} each, in the order asked for; `code` of those of the user's
                 own.
    world/judge: their names, which identify the weights.   environment: versions of python,
    worldgym,
    torch and numpy, git commit or null, machine, device.   started: ISO time.
    truths: known results of a policy on a task group as a whole, {policy, group, trials, successes}
    each; successes may be fractional (partial credit).
    """

    config: Mapping[str, Any]
    command: str
    policies: tuple[Mapping[str, Any], ...]
    world: str
    judge: str
    run_seed: int
    environment: Mapping[str, Any]
    started: str
    truths: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not all(
            isinstance(policy, Mapping) and isinstance(policy.get("name"), str)
            for policy in self.policies
        ):
            raise ValueError("every policy of a header needs a name")
        for truth in self.truths:
            from_mapping(GroupTruth, truth)

    def to_json(self) -> dict[str, Any]:
        return {"type": "header", "version": VERSION, **asdict(self)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> RunHeader:
        """ValueError if a field is missing, unknown or of the wrong type."""
        if data.get("type") != "header" or data.get("version") not in READABLE_VERSIONS:
            raise ValueError(
                f"not the header of a run log of version {READABLE_VERSIONS[0]} to {VERSION}"
            )
        values = {key: value for key, value in data.items() if key not in ("type", "version")}
        return from_mapping(RunHeader, values)

    def difference(self, other: RunHeader, may_differ: Collection[str] = ()) -> str | None:
        """The first key in which the two runs' identities differ, with both values; None if they
        are the same run.

        may_differ: keys of `config` that are not compared; with that of the engine goes the device
        of the judge.
        """
        # as the log would give them back
        mine, theirs = (json.loads(json.dumps(cleaned(one.to_json()))) for one in (self, other))
        for key in (*_MAY_DIFFER, "version"):
            del mine[key], theirs[key]
        for key in may_differ:
            theirs["config"].pop(key, None)
        if ENGINE_KEY in may_differ:
            for one in (mine, theirs):
                one["config"].get("judge", {}).pop(DEVICE_SETTING, None)
        if all(CONTENTS_KEY in one["config"] for one in (mine, theirs)):
            for one in (mine, theirs):
                one["config"].pop(TASKS_KEY, None)  # says no more
        configs = mine["config"], theirs["config"]
        _forget(configs, (TASKS_KEY, CONTENTS_KEY, EDITS_KEY, ENGINE_KEY))
        _forget(configs, (CHECKPOINTS_KEY, PLANNED_KEY, FAMILIARITY_KEY))
        for one in (mine, theirs):
            for policy in one["policies"]:
                policy.pop("changes", None)  # words for what follows from the two specs
            one["policies"] = {policy.pop("name"): policy for policy in one["policies"]}
        for name in mine["policies"].keys() & theirs["policies"].keys():
            _forget((mine["policies"][name], theirs["policies"][name]), (CODE_KEY,))
        return first_difference(mine, theirs)


@dataclass(frozen=True)
class TrialRecord(Derived):
    """One attempt at one trial. Equality leaves out `paid_usd`, `seconds`, `timing` and `time`,
    which no rerun repeats.

    task/group:     initial frame, e.g. "drawer-open/10003", and what results are summed over, e.g.
                    "drawer-open".
    attempt:        1, 2, ...   failure_reason: None = it ran; else it broke, is tried again, and is
    never scored.
    score:          in [0, 1], or None = unscored, with the judge's reason.   probability, progress:
                    the judge's, in [0, 1].   curve: its progress along the frames, see `Verdict`.
    truth:          known success of this policy on this task; None where it is unknown.
    votes, cost_usd, provenance: the answers behind the score, their price, and how they were made
    (see `Verdict`).
    paid_usd:       what this run paid for them; votes bought before cost nothing again.
    video/truth_video: mp4 files (yuv420p, so that every browser plays them), relative to RUN, or
    None.
    clipped:        actions that the policy wanted outside its bounds.
    nominal, axis, new_goal: of an edited task (see `Task`).   frame: PNG of the initial frame,
    relative to RUN, where one was kept.
    seconds, time:  wall time of the rollout, a batch's shared out evenly; ISO time of the end.
    timing:         seconds of its parts where known: world, decode and policy, which make up
                    `seconds`, and judge."""

    policy: str
    task: str
    group: str
    instruction: str
    repeat: int
    seed: int
    attempt: int = 1
    failure_reason: str | None = None
    score: float | None = None
    reason: str = ""
    probability: float | None = None
    progress: float | None = None
    judge: str = ""
    votes: tuple[Vote, ...] = ()
    cost_usd: float = 0.0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    paid_usd: float = field(default=0.0, compare=False)
    steps: int = 0
    flags: tuple[str, ...] = ()
    clipped: int = 0
    truth: bool | None = None
    video: str | None = None
    truth_video: str | None = None
    nominal: str | None = None
    axis: str = ""
    new_goal: bool = False
    frame: str | None = None
    seconds: float = field(default=0.0, compare=False)
    timing: Mapping[str, float] = field(default_factory=dict, compare=False)
    time: str = field(default="", compare=False)
    curve: Curve = ()

    def __post_init__(self) -> None:
        _clean_texts(self)
        check_curve(self.curve)
        check_score(self)
        for name, value in (("probability", self.probability), ("progress", self.progress)):
            if value is not None and not 0.0 <= value <= 1.0:  # false for NaN too
                raise ValueError(f"{name} must lie in [0, 1], not {value}")
        amounts = {
            "seconds": self.seconds,
            "cost_usd": self.cost_usd,
            "paid_usd": self.paid_usd,
            **self.timing,
        }
        for name, value in amounts.items():
            if not math.isfinite(value):
                raise ValueError(f"{name} must be finite, not {value}")
        if self.attempt < 1:
            raise ValueError(f"attempts count from 1, not {self.attempt}")

    @property
    def actions_file(self) -> str | None:
        """Where the actions lie, float32 [T, A] beside the video, relative to RUN; runs of older
        versions lack the file."""
        return None if self.video is None else actions_beside(self.video)

    @property
    def files(self) -> tuple[str, ...]:
        """The files next to the log for this record; older runs lack the actions."""
        return files_named(self.video, self.truth_video, self.frame)

    def to_json(self) -> dict[str, Any]:
        # `asdict` would copy all that is in it, which takes longer than writing the line
        return {"type": "trial", **vars(self), "votes": tuple(map(asdict, self.votes))}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TrialRecord:
        """ValueError if a field is missing, unknown, of the wrong type or out of range."""
        if data.get("type") != "trial":
            raise ValueError("not a trial")
        record = from_mapping(TrialRecord, {k: v for k, v in data.items() if k != "type"})
        files_named(record.video, record.truth_video, record.frame)  # refuses those elsewhere
        return record


@dataclass(frozen=True)
class Results(Generic[A]):
    """One record a trial, in the log's order. finished: the last finished attempt. failed: the last
    of those with none."""

    finished: tuple[A, ...]
    failed: tuple[A, ...]


def run_views(header: RunHeader) -> tuple[str, ...]:
    """Names of the views that the run's videos show side by side."""
    return tuple(map(str, header.config.get(VIEWS_KEY, ONE_VIEW)))


def run_stride(header: RunHeader) -> int:
    """Actions per frame of the run's world; its videos show each frame until the next."""
    return int(header.config.get(CAPABILITIES_KEY, {}).get("stride", 1))


def results(records: Iterable[A]) -> Results[A]:
    """The last finished attempt of each (policy, task, repeat); trials that never finished stand
    apart."""
    last: dict[TrialKey, A] = {}
    for record in records:
        key = record.key
        if record.failure_reason is None or key not in last or not last[key].finished:
            last[key] = record
    return Results(
        tuple(r for r in last.values() if r.finished),
        tuple(r for r in last.values() if not r.finished),
    )


def _clean_texts(record: TrialRecord) -> None:
    """Whatever a task, a policy or a judge said: what a record holds is then what its line gives
    back."""
    texts: dict[str, Any] = {
        name: clean(value)
        for name, value in vars(record).items()
        if isinstance(value, str) and not value.isprintable()
    }
    if record.votes:
        texts["votes"] = tuple(replace(vote, reason=clean(vote.reason)) for vote in record.votes)
    if record.flags:
        texts["flags"] = tuple(clean(flag) for flag in record.flags)
    if record.provenance:
        texts["provenance"] = cleaned(record.provenance)
    for name, value in texts.items():
        object.__setattr__(record, name, value)


def _forget(both: Collection[dict[str, Any]], keys: Collection[str]) -> None:
    """Drops what one of them does not have, for older runs did not keep it."""
    for key in keys:
        if not all(key in one for one in both):
            for one in both:
                one.pop(key, None)
