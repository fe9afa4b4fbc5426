"""Why trials have no score: reasons of the same kind together, with their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from worldgym.io.attempts import Attempted
from worldgym.stats.repeated_failures import reason_kind

MOST = 10  # reasons of a kind that are named
LONGEST = 300  # characters of one


@dataclass(frozen=True)
class ReasonCount:
    """How many trials have no score for one kind of reason."""

    reason: str
    """the first of those that are alike but for numbers, at most 300 characters"""
    trials: int
    """how many there are"""


@dataclass(frozen=True)
class FailureReasons:
    """Reasons by their frequency, the most frequent first, at most 10 of either kind."""

    failed: tuple[ReasonCount, ...] = ()
    """of trials that failed in every attempt"""
    unscored: tuple[ReasonCount, ...] = ()
    """of trials that the judge did not score"""


def failure_reasons(trials: Sequence[Attempted]) -> FailureReasons:
    """trials: one record each."""
    failed = (r.failure_reason for r in trials if r.failure_reason is not None)
    unscored = (r.reason for r in trials if r.finished and r.score is None)
    return FailureReasons(count_reasons(failed), count_reasons(unscored))


def count_reasons(reasons: Iterable[str]) -> tuple[ReasonCount, ...]:
    """One for each kind of reason, the most frequent first."""
    first = dict[str, str]()
    counts = dict[str, int]()
    for reason in reasons:
        kind = reason_kind(reason)
        first.setdefault(kind, reason[:LONGEST])
        counts[kind] = counts.get(kind, 0) + 1
    found = [ReasonCount(first[kind], count) for kind, count in counts.items()]
    return tuple(sorted(found, key=lambda row: -row.trials)[:MOST])
