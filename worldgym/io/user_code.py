"""The boundary to other people's code: their policy or judge may raise anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from worldgym.errors import BudgetSpent, JudgeStopped, WorldGymError

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """Something failed that is not the robot's fault: never a score.   error: with its traceback,
    for whoever wrote it."""

    reason: str
    error: Exception

    @property
    def first_line(self) -> str:
        """Of the reason, 300 characters at most: some libraries add requests and headers."""
        return self.reason.strip().splitlines()[0][:300]

    def to_json(self) -> dict[str, str]:
        return {"broken": self.reason}


def attempt(call: Callable[[], T]) -> T | Failure:
    """The only place that catches everything. What concerns every trial passes through."""
    try:
        return call()
    except (BudgetSpent, JudgeStopped):
        raise
    except Exception as error:
        return Failure(
            str(error) if isinstance(error, WorldGymError) else f"{type(error).__name__}: {error}",
            error,
        )
    except SystemExit as end:  # argparse, in code that was written as a script
        reason = f"it called sys.exit({'' if end.code is None else repr(end.code)})"
        return Failure(reason, RuntimeError(reason).with_traceback(end.__traceback__))
