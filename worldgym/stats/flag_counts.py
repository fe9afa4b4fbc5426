"""Flags that checks have put on trials, counted for the summary."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from worldgym.io.attempts import Attempted


@dataclass(frozen=True)
class FlagCount:
    """The trials that carry one flag. Edited tasks count too."""

    flag: str
    """the flag's text"""
    trials: int
    """finished trials that carry it"""
    of: int
    """finished trials in all"""
    succeeded: Mapping[str, int]
    """successes among the flagged trials by task; tasks without one are left out"""
    tasks: Mapping[str, tuple[str, ...]]
    """initial frames of the flagged trials by task"""


def count_flags(trials: Iterable[Attempted]) -> tuple[FlagCount, ...]:
    """One for each flag, by name."""
    finished = [trial for trial in trials if trial.finished]
    flags = sorted({flag for trial in finished for flag in trial.flags})
    return tuple(
        _count(flag, [trial for trial in finished if flag in trial.flags], len(finished))
        for flag in flags
    )


def _count(flag: str, own: list[Attempted], of: int) -> FlagCount:
    named = defaultdict[str, set[str]](set)
    for trial in own:
        named[trial.group].add(trial.task)
    tasks = {group: tuple(sorted(named[group])) for group in sorted(named)}
    succeeded = Counter(trial.group for trial in own if trial.succeeded)
    return FlagCount(flag, len(own), of, dict(sorted(succeeded.items())), tasks)
