"""The run log, RUN/log.jsonl: a header, then one line a trial attempt. Append-only; everything
later is derived from it.

A line counts once its newline is on the disk. A run killed in the middle of a line leaves a torn
last line: readers ignore it, and the next `RunLog.open` cuts it off before it appends. Any other
wrong line is an error with its number. A line ends with a checksum of itself, so that no damaged
one is believed.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import reprlib
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeVar

from worldgym.errors import InputError
from worldgym.io.files import Hold, json_line, write_atomic
from worldgym.io.record_fields import checked, first_difference
from worldgym.io.text import clean, cleaned
from worldgym.types import Vote, is_success

LOG_NAME = "log.jsonl"
VERSION = 4  # of what is written; docs/log.md says what each added
READABLE = (1, 2, 3, VERSION)
CHECKED = 4  # the first version whose lines carry a checksum
ATTEMPTS = 3  # at a trial that breaks, in one start of the run
T = TypeVar("T")
TrialKey = tuple[str, str, int]  # policy, task, repeat

TASKS_KEY = "tasks_sha256"  # in `config`: of everything about the tasks that a result depends on
# in `config`: the trials of every policy, of all shards, see
# `worldgym.evaluation.plan.planned_repeats`
PLANNED_KEY = "planned"
ENGINE_KEY = "engine"  # in `config`: what computed the frames, for other kernels round otherwise
FAMILIARITY_KEY = (
    "familiarity"  # in `config`: by which limit initial frames were called strange; null = by none
)
CODE_KEY = "code"  # of a policy: digest of its source and of the files that it is made of
CHECKSUM = "crc32"  # the last key of a line: of the bytes before its comma
_CHECKSUM = re.compile(rb', "crc32": ([0-9]{1,10})\}$')
# flags of a trial: the world does not know the frame that it starts from;
STRANGE = "strange initial frame"
SOLVED = "already solved at the start"  # the judge takes that frame for a success
_MAY_DIFFER = ("command", "environment", "started")  # between the two starts of one run


@dataclass(frozen=True)
class RunHeader:
    """What was run: the first line of the log. All but `command`, `environment` and `started` is
    the run's identity.

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
            _check_truth(truth)

    def to_json(self) -> dict[str, Any]:
        return {"type": "header", "version": VERSION, **asdict(self)}

    def to_line(self) -> bytes:
        return _line(self.to_json())

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> RunHeader:
        """ValueError if a field is missing, unknown or of the wrong type."""
        if data.get("type") != "header" or data.get("version") not in READABLE:
            raise ValueError(f"not the header of a run log of version {READABLE[0]} to {VERSION}")
        values = checked(
            RunHeader, {key: value for key, value in data.items() if key not in ("type", "version")}
        )
        return RunHeader(
            **{
                **values,
                "policies": tuple(values["policies"]),
                "truths": tuple(values.get("truths", [])),
            }
        )

    def difference(self, other: RunHeader, may_differ: Collection[str] = ()) -> str | None:
        """The first key in which the two runs' identities differ, with both values; None if they
        are the same run.

        may_differ: keys of `config` that are not compared.
        """
        mine, theirs = (json.loads(header.to_line()) for header in (self, other))
        for key in (*_MAY_DIFFER, "version", CHECKSUM):
            del mine[key], theirs[key]
        for key in may_differ:
            theirs["config"].pop(key, None)
        _forget(
            (mine["config"], theirs["config"]),
            (TASKS_KEY, ENGINE_KEY, PLANNED_KEY, FAMILIARITY_KEY),
        )
        for policies in zip(mine["policies"], theirs["policies"], strict=False):
            _forget(policies, (CODE_KEY,))
        return first_difference(mine, theirs)


@dataclass(frozen=True)
class TrialRecord:
    """One attempt at one trial. Equality leaves out `paid_usd`, `seconds`, `timing` and `time`,
    which no rerun repeats.

    task/group:     initial frame, e.g. "drawer-open/10003", and what results are summed over, e.g.
    "drawer-open".
    attempt:        1, 2, ...   failure_reason: None = it ran; else it broke, is tried again, and is
    never scored.
    score:          in [0, 1], or None = unscored, with the judge's reason.   probability, progress:
    the judge's, in [0, 1].
    truth:          known success of this policy on this task; None where nobody knows.
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

    def __post_init__(self) -> None:
        _clean_texts(self)
        for name, value in (
            ("score", self.score),
            ("probability", self.probability),
            ("progress", self.progress),
        ):
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
        if self.failure_reason is not None and self.score is not None:
            raise ValueError("a failed attempt is never scored")
        if self.failure_reason is None and self.score is None and not self.reason:
            raise ValueError("an unscored trial needs a reason")

    @property
    def key(self) -> TrialKey:
        return self.policy, self.task, self.repeat

    @property
    def finished(self) -> bool:
        return self.failure_reason is None

    @property
    def actions_file(self) -> str | None:
        """Where the actions lie, float32 [T, A] beside the video, relative to RUN; runs of older
        versions lack the file."""
        return None if self.video is None else actions_beside(self.video)

    @property
    def succeeded(self) -> bool | None:
        """The verdict as yes or no: a score above one half; partial credit of one half is no
        success. None if unscored."""
        return None if self.score is None else is_success(self.score)

    @property
    def right(self) -> bool | None:
        """Whether the verdict equals the truth; None where either is unknown."""
        return (
            None if self.truth is None or self.succeeded is None else self.succeeded == self.truth
        )

    def to_json(self) -> dict[str, Any]:
        return {"type": "trial", **asdict(self)}

    def to_line(self) -> bytes:
        return _line(self.to_json())

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TrialRecord:
        """ValueError if a field is missing, unknown, of the wrong type or out of range."""
        if data.get("type") != "trial":
            raise ValueError("not a trial")
        values = checked(TrialRecord, {key: value for key, value in data.items() if key != "type"})
        for name in (values.get("video"), values.get("truth_video"), values.get("frame")):
            if name is not None and (
                PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts
            ):
                raise ValueError(f"{reprlib.repr(name)} lies outside the run's folder")
        votes = tuple(Vote(**checked(Vote, vote)) for vote in values.get("votes", []))
        return TrialRecord(**{**values, "flags": tuple(values.get("flags", [])), "votes": votes})


@dataclass(frozen=True)
class Results:
    """One record a trial, in the log's order. finished: the last finished attempt. failed: the last
    of those with none."""

    finished: tuple[TrialRecord, ...]
    failed: tuple[TrialRecord, ...]


class RunLog:
    """The log of one run, open for appending. `done` holds the trials with a finished attempt;
    `records` all attempts.

    The run's folder is held for this one writer until the `with` around it ends, however it ends.
    """

    def __init__(
        self, path: Path, header: RunHeader, hold: Hold, records: Iterable[TrialRecord] = ()
    ) -> None:
        self.path, self.header, self._hold = path, header, hold
        self.records: list[TrialRecord] = []
        self.done: set[TrialKey] = set()
        self._attempts: Counter[TrialKey] = Counter()
        for record in records:
            self._remember(record)
        self._before = Counter(self._attempts)

    @staticmethod
    def open(
        run_dir: Path, header: RunHeader, resume: bool = True, may_differ: Collection[str] = ()
    ) -> RunLog:
        """Starts RUN/log.jsonl, or goes on with the one that is there (and keeps its header).

        may_differ: see `RunHeader.difference`.
        InputError if the log belongs to another run, is corrupt, cannot be written, is being
        written by another process, or exists and `resume` is false.
        """
        path, hold = run_dir / LOG_NAME, Hold(run_dir)
        try:
            if not path.exists():
                write_atomic(path, header.to_line())
                return RunLog(path, header, hold)
            if not resume:
                raise InputError(f"{path} already holds a run; resume it or choose another folder")
            found, records = read_log(path)
            difference = found.difference(header, may_differ)
            if difference is not None:
                remedy = "repeat its options or choose another folder"
                if difference.startswith(f"config.{ENGINE_KEY} "):
                    remedy = (
                        "the frames would differ a little, so choose another folder, or give "
                        "--other-engine to mix them"
                    )
                raise InputError(f"{path} holds another run: {difference}; {remedy}")
            _cut_torn_line(path)
            return RunLog(path, found, hold, records)
        except BaseException:
            hold.release()
            raise

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._hold.release()

    def append(self, record: TrialRecord) -> None:
        """Writes one line through to the disk. InputError if the disk refuses; the log is then as
        before."""
        data = record.to_line()
        try:
            with self.path.open("ab", buffering=0) as file:
                size = file.tell()
                try:
                    if file.write(data) != len(data):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(size)  # half a line here would corrupt the next one
                    raise
        except OSError as error:
            raise InputError(
                f"cannot write {self.path}: {error.strerror}; make room or permit writing, then "
                f"resume"
            ) from error
        self._remember(record)

    def attempts(self, policy: str, task: str, repeat: int) -> int:
        """How often this trial was tried so far, failed attempts included."""
        return self._attempts[policy, task, repeat]

    def last_attempt(self, policy: str, task: str, repeat: int) -> int:
        """The number of the last attempt that this start may make at a trial."""
        return self._before[policy, task, repeat] + ATTEMPTS

    def _remember(self, record: TrialRecord) -> None:
        self.records.append(record)
        self._attempts[record.key] += 1
        if record.finished:
            self.done.add(record.key)


def actions_beside(video: str) -> str:
    """The file of a rollout's actions, from that of its video: "videos/p/door-0.mp4" =>
    "videos/p/door-0.npy"."""
    return f"{video.removesuffix('.mp4')}.npy"


def read_log(path: Path) -> tuple[RunHeader, list[TrialRecord]]:
    """The header and every attempt. A torn last line is ignored; any other wrong line is an
    InputError with its number."""
    try:
        lines = path.read_bytes().split(b"\n")[
            :-1
        ]  # what follows the last newline is nothing, or torn
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); name the log of a run"
        ) from error
    if not lines:
        raise InputError(
            f"{path}: holds no header, so it is not a run log; remove it or choose another folder"
        )
    header, version = _parsed(
        path, 1, lines[0], lambda data: (RunHeader.from_json(data), data["version"])
    )
    names = {str(policy["name"]) for policy in header.policies}

    def record(data: dict[str, Any]) -> TrialRecord:
        found = TrialRecord.from_json(data)
        if found.policy not in names:
            raise ValueError(
                f"policy {reprlib.repr(found.policy)} is not among those of the header"
            )
        return found

    numbered = enumerate(lines[1:], start=2)
    return header, [
        _parsed(path, number, line, record, version >= CHECKED) for number, line in numbered
    ]


def results(records: Iterable[TrialRecord]) -> Results:
    """The last finished attempt of each (policy, task, repeat); trials that never finished stand
    apart."""
    last: dict[TrialKey, TrialRecord] = {}
    for record in records:
        if record.finished or record.key not in last or not last[record.key].finished:
            last[record.key] = record
    return Results(
        tuple(r for r in last.values() if r.finished),
        tuple(r for r in last.values() if not r.finished),
    )


def _check_truth(truth: Any) -> None:
    if not isinstance(truth, Mapping) or set(truth) != {"policy", "group", "trials", "successes"}:
        raise ValueError(
            f"{reprlib.repr(truth)} is no known result: it has policy, group, trials and successes"
        )
    successes, trials = truth["successes"], truth["trials"]
    if not (
        isinstance(successes, int | float) and isinstance(trials, int) and 0 <= successes <= trials
    ):
        raise ValueError(
            f"{reprlib.repr(successes)} successes in {reprlib.repr(trials)} trials are no known "
            f"result"
        )


def _line(data: Mapping[str, Any]) -> bytes:
    """One line of JSON, its texts cleaned, with the checksum of what stands before it."""
    body = json_line(cleaned(data)).removesuffix(b"}\n")
    return body + f', "{CHECKSUM}": {zlib.crc32(body)}}}\n'.encode()


def _check(line: bytes, needed: bool) -> None:
    """ValueError where the line does not have the checksum that it carries, or has none where that
    is needed."""
    found = _CHECKSUM.search(line)
    if found is None and needed:
        raise ValueError("it carries no checksum, so it is damaged")
    if found is not None and int(found[1]) != zlib.crc32(line[: found.start()]):
        raise ValueError("its checksum is wrong, so it is damaged")


def _clean_texts(record: TrialRecord) -> None:
    """Whatever a task, a policy or a judge said: what a record holds is then what its line gives
    back."""
    texts = {name: clean(value) for name, value in vars(record).items() if isinstance(value, str)}
    votes = tuple(replace(vote, reason=clean(vote.reason)) for vote in record.votes)
    flags = tuple(clean(flag) for flag in record.flags)
    for name, value in {
        **texts,
        "votes": votes,
        "flags": flags,
        "provenance": cleaned(record.provenance),
    }.items():
        object.__setattr__(record, name, value)


def _forget(both: Collection[dict[str, Any]], keys: Collection[str]) -> None:
    """Drops what one of them does not have, for older runs did not keep it."""
    for key in keys:
        if not all(key in one for one in both):
            for one in both:
                one.pop(key, None)


def _parsed(
    path: Path,
    number: int,
    line: bytes,
    parse: Callable[[dict[str, Any]], T],
    checksum: bool = False,
) -> T:
    """checksum: the line must carry one."""
    try:
        _check(line, checksum)
        data = json.loads(line, parse_constant=_refuse_constant)
        if not isinstance(data, dict):
            raise ValueError("not a JSON object")
        data.pop(CHECKSUM, None)
        return parse(cleaned(data))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        fault = f"not valid JSON ({error})"
    except (ValueError, TypeError, OverflowError) as error:
        fault = str(error)
    raise InputError(
        f"{path}, line {number}: {fault}; restore the log from a copy or choose another folder"
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of the log")


def _cut_torn_line(path: Path) -> None:
    size = path.read_bytes().rfind(b"\n") + 1
    try:
        os.truncate(path, size)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; permit writing, then resume"
        ) from error
