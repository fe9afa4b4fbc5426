"""An attempt at a trial, as statistics and pages read it, independent of its storage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from worldgym.io.records import from_mapping
from worldgym.types import Trial, is_success

TrialKey = tuple[str, str, int]  # policy, task, repeat


@dataclass(frozen=True)
class LogOrder:
    """Where a single process logs a trial: policy by policy, trials of one length together."""

    places: Mapping[str, int]

    @staticmethod
    def of(policies: Iterable[Mapping[str, Any]]) -> LogOrder:
        """policies: of the run's header."""
        return LogOrder({str(policy["name"]): i for i, policy in enumerate(policies)})

    def __call__(self, key: TrialKey, group: str, steps: int) -> tuple[int, int, str, int, str]:
        policy, task, repeat = key
        return self.places[policy], steps, group, repeat, task


def trial_key(policy: str, trial: Trial) -> TrialKey:
    """Of a policy's attempts at a trial."""
    return policy, trial.task.name, trial.repeat


class Attempted(Protocol):
    """An attempt at a trial, as far as statistics read it: a `TrialRecord`, or a `TrialOutcome`.
    The fields are those of the former."""

    @property
    def policy(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def instruction(self) -> str: ...
    @property
    def repeat(self) -> int: ...
    @property
    def failure_reason(self) -> str | None: ...
    @property
    def score(self) -> float | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def flags(self) -> tuple[str, ...]: ...
    @property
    def truth(self) -> bool | None: ...
    @property
    def video(self) -> str | None: ...
    @property
    def nominal(self) -> str | None: ...
    @property
    def axis(self) -> str: ...
    @property
    def new_goal(self) -> bool: ...
    @property
    def frame(self) -> str | None: ...
    @property
    def time(self) -> str: ...
    @property
    def key(self) -> TrialKey: ...
    @property
    def finished(self) -> bool: ...
    @property
    def succeeded(self) -> bool | None: ...
    @property
    def right(self) -> bool | None: ...


class Derived:
    """What follows from the fields of an attempt."""

    __slots__ = ()

    @property
    def key(self: Attempted) -> TrialKey:
        return self.policy, self.task, self.repeat

    @property
    def finished(self: Attempted) -> bool:
        return self.failure_reason is None

    @property
    def succeeded(self: Attempted) -> bool | None:
        """The verdict as yes or no: a score above one half; partial credit of one half is no
        success. None if unscored."""
        return None if self.score is None else is_success(self.score)

    @property
    def right(self: Attempted) -> bool | None:
        """Whether the verdict equals the truth; None where either is unknown."""
        return (
            None if self.truth is None or self.succeeded is None else self.succeeded == self.truth
        )


def check_score(attempt: Attempted) -> None:
    """ValueError where outcome and score contradict each other."""
    score = attempt.score
    if score is not None:
        if not 0.0 <= score <= 1.0:  # false for NaN too
            raise ValueError(f"score must lie in [0, 1], not {score}")
        if attempt.failure_reason is not None:
            raise ValueError("a failed attempt is never scored")
    elif attempt.failure_reason is None and not attempt.reason:
        raise ValueError("an unscored trial needs a reason")


@dataclass(slots=True)
class Tried:
    """What is wanted of most attempts, of which a log may hold a million."""

    policy: str
    task: str
    repeat: int
    group: str = ""
    steps: int = 0
    failure_reason: str | None = None
    paid_usd: float = 0.0

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Tried:
        if data.get("type") != "trial":
            raise ValueError("not a trial")
        return from_mapping(Tried, data, more=True)
