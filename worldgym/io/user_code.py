"""The boundary to other people's code: their policy or judge may raise anything."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from worldgym.errors import BudgetSpent, JudgeStopped, WorldGymError

T = TypeVar("T")
OTHERS = (Path(__file__).parents[1], Path(sysconfig.get_path("stdlib")))


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


def line_of(error: BaseException) -> traceback.FrameSummary | None:
    """The last line of the user's own code on the way to an error: no line of this package, of one
    that is installed, or of Python's. None where there is none."""
    lines = traceback.extract_tb(error.__traceback__)
    return next((line for line in reversed(lines) if _is_own(line.filename)), None)


def _is_own(file: str) -> bool:
    path = Path(file)
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    return not (file.startswith("<") or installed or any(map(path.is_relative_to, OTHERS)))


def attempt(call: Callable[[], T]) -> T | Failure:
    """The only place that catches everything. What concerns every trial passes through. The reason
    of what is no error of ours names the line of the user's code."""
    try:
        return call()
    except (BudgetSpent, JudgeStopped):
        raise
    except Exception as error:
        if isinstance(error, WorldGymError):
            return Failure(str(error), error)
        line = line_of(error)
        where = "" if line is None else f" at {Path(line.filename).name}, line {line.lineno}"
        first, end, rest = f"{type(error).__name__}: {error}".partition("\n")
        return Failure(f"{first}{where}{end}{rest}", error)
    except SystemExit as end:  # argparse, in code that was written as a script
        reason = f"it called sys.exit({'' if end.code is None else repr(end.code)})"
        return Failure(reason, RuntimeError(reason).with_traceback(end.__traceback__))
