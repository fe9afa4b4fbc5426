"""What statistics and pages need of an attempt, from a line of the log: half of its fields, with
shared texts stored once, so that a run of a million trials fits into memory. A line is read
completely, including its checksum; `TrialRecord` has the other fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any

from worldgym.io.attempts import Derived, check_score
from worldgym.io.records import from_mapping
from worldgym.types import Vote

FILMED = "video"  # stands for the name of a video, which is in the log


@dataclass(slots=True)  # not frozen: a million are made, and a frozen one takes four times as long
class TrialOutcome(Derived):
    """The fields of a `TrialRecord` of these names. start: first byte of its line in the log, see
    `run_log.record_at`."""

    policy: str
    task: str
    group: str
    instruction: str
    repeat: int
    failure_reason: str | None = None
    score: float | None = None
    reason: str = ""
    flags: tuple[str, ...] = ()
    truth: bool | None = None
    video: str | None = None
    nominal: str | None = None
    axis: str = ""
    new_goal: bool = False
    frame: str | None = None
    time: str = ""
    start: int = -1

    @staticmethod
    def from_json(data: Mapping[str, Any], start: int) -> TrialOutcome:
        """ValueError if a field of these is missing, of the wrong type or out of range."""
        if data.get("type") != "trial":
            raise ValueError("not a trial")
        found = from_mapping(TrialOutcome, data, more=True)
        check_score(found)
        found.start = start
        found._share()
        return found

    def _share(self) -> None:
        """Texts that many attempts have in common are kept once; the name of the video, which no
        two share, tells no more than that there is one."""
        self.policy = intern(self.policy)
        self.task = intern(self.task)
        self.group = intern(self.group)
        self.instruction = intern(self.instruction)
        self.reason = intern(self.reason)
        self.axis = intern(self.axis)
        self.time = intern(self.time)
        self.video = None if self.video is None else FILMED
        if self.nominal is not None:
            self.nominal = intern(self.nominal)
        if self.frame is not None:
            self.frame = intern(self.frame)
        if self.failure_reason is not None:
            self.failure_reason = intern(self.failure_reason)
        if self.flags:
            self.flags = tuple(map(intern, self.flags))


@dataclass(slots=True)
class AttemptCost:
    """What an attempt took: the fields of a `TrialRecord` of these names."""

    seconds: float = 0.0
    timing: Mapping[str, float] = field(default_factory=dict)
    votes: tuple[Vote, ...] = ()
    cost_usd: float = 0.0
    paid_usd: float = 0.0

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> AttemptCost:
        """ValueError if a field of these is of the wrong type."""
        return from_mapping(AttemptCost, data, more=True)
