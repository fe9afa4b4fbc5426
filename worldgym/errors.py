"""One small tree of errors. Every message says what was wrong, where, and the fix.

::

    WorldGymError            anything the user can fix; the command line prints it and exits with
                             `exit_code`, 2
    |- InputError            a file, folder, option or value given by the user
    |- SpecMismatch          policy and world (or data) disagree on what an action means
    |- CheckpointError       a checkpoint or bundle is incomplete, altered or of another kind
    |- ServerOutage          the server of a policy or a world gave no usable answer: the trial is
      tried again, never scored
    |- JudgeOutage           a model's server gave no answer to this question: a trial is tried
      again, never scored
    |- JudgeStopped          a model's server refuses every question (key, model, address): asking
      on is useless
    |- SameFailure           a run stopped because one failure came again and again; exit code 3
    |- Incomplete            a run ended without all of its trials; exit code 4
    |- WorkersLost           the workers of a command died again and again at one piece of work
    |- NothingWorked         every trial of a run failed; exit code 3
    |- BudgetSpent           the money set for a judge, or for edits by a model, is spent
    |- EditRefused           a model refused an edit, or changed what it was to leave alone
    `- MissingExtra          an optional dependency is not installed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from worldgym.types import ActionSpec

T = TypeVar("T")


class WorldGymError(Exception):
    """Base of everything WorldGym raises on purpose.

    exit_code: of the command line.   paid_usd: what was paid for answers before it, which are kept
    but part of no verdict yet."""

    exit_code = 2
    paid_usd = 0.0


class InputError(WorldGymError):
    """A file, folder, option or value given by the user is wrong."""


class CheckpointError(WorldGymError):
    """A checkpoint is incomplete, altered, or not of the expected kind."""


class ServerOutage(WorldGymError):
    """The server of a policy or a world cannot be reached, is too slow, has lost the state of a
    trial, or answered with something else than was asked for."""


class JudgeOutage(WorldGymError):
    """A judge got no answer to one question, for all its patience."""


class JudgeStopped(WorldGymError):
    """A judge will get no answer to any question until the user fixes its description."""


class SameFailure(WorldGymError):
    """One failure came so often in a row that the rest would come out the same. What ran is
    kept."""

    exit_code = 3

    def __init__(self, times: int, reason: str) -> None:
        self._given = times, reason
        super().__init__(
            f"stopped, because the same failure came {times} times in a row: {reason}\n"
            "Fix that and give the same command again: finished work is kept, and it continues "
            "from there."
        )

    def __reduce__(self) -> tuple[type[SameFailure], tuple[int, str]]:
        return SameFailure, self._given  # a worker's error comes to the driver whole


class Incomplete(WorldGymError):
    """A run ended, and some of its trials failed or are missing. What ran is kept."""

    exit_code = 4


class Unfinished(WorldGymError):
    """A run was ended before its time (a limit, or the system wants the process gone), and nothing
    of it failed."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: "try again later"


class NothingWorked(WorldGymError):
    """A run came to its end, and every single trial of it failed."""

    exit_code = 3


class WorkersLost(WorldGymError):
    """Worker after worker died with the same piece of work. What was finished before is kept."""

    exit_code = 3


class EditRefused(WorldGymError):
    """A model did not make the edit that was asked for."""


class BudgetSpent(WorldGymError):
    """The budget does not allow another question."""


class MissingExtra(WorldGymError):
    """An optional dependency is needed and absent."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f'{purpose} needs the package "{package}": install it with  pip install '
            f'"worldgym[{extra}]"'
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ " (did you mean NAME?)", or "" where no known name is like it."""
    found = difflib.get_close_matches(name, list(known), 1)
    return f" (did you mean {found[0]}?)" if found else ""


def pick(what: str, name: str, known: Mapping[str, T]) -> T:
    """known[name]. InputError, with the names there are, for another one.   what: "recipe"."""
    if name not in known:
        raise InputError(
            f'no {what} "{name}"{did_you_mean(name, known)}: one of {", ".join(known)}'
        )
    return known[name]


def at_least(option: str, value: float, least: int = 0) -> None:
    """InputError for an option below its bound."""
    if not value >= least:
        raise InputError(f"{option} is {value:g}: give {least} or more")


class SpecMismatch(WorldGymError):
    """Two parties disagree on what an action means. Carries both specs."""

    def __init__(self, who: str, mine: ActionSpec, other: str, theirs: ActionSpec) -> None:
        details = "; ".join(mine.differences(theirs))
        super().__init__(
            f"action conventions differ between {who} and {other}: {details}. "
            f"Convert the policy's actions or choose a world trained for its convention.\n"
            f"  {who}: {mine.to_json()}\n  {other}: {theirs.to_json()}"
        )
        self.mine = mine
        self.theirs = theirs
