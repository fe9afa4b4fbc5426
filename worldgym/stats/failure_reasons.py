"""Why trials have no score: the reasons, alike ones together, with their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from worldgym.io.run_records import TrialRecord
from worldgym.stats.repeated_failures import reason_kind

MOST = 10  # reasons of a kind that are named
LONGEST = 300  # characters of one


def reasons(trials: Sequence[TrialRecord]) -> dict[str, list[dict[str, Any]]]:
    """failed, unscored: {reason, trials} each, the most frequent first; the reason is the first of
    those that are alike."""
    failed = (r.failure_reason for r in trials if r.failure_reason is not None)
    unscored = (r.reason for r in trials if r.finished and r.score is None)
    return {"failed": counted(failed), "unscored": counted(unscored)}


def counted(said: Iterable[str]) -> list[dict[str, Any]]:
    """{reason, trials} for each kind of reason, the most frequent first."""
    found: dict[str, dict[str, Any]] = {}
    for reason in said:
        found.setdefault(reason_kind(reason), {"reason": reason[:LONGEST], "trials": 0})[
            "trials"
        ] += 1
    return sorted(found.values(), key=lambda row: -int(row["trials"]))[:MOST]
