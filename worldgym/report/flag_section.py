"""Flags that checks have put on rollouts: the rates of the flagged trials, and of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worldgym.io.attempts import Attempted
from worldgym.report.section import ReportFacts, Section
from worldgym.stats.success_rates import score_rate


def flags_section(facts: ReportFacts) -> Section | None:
    """One row per flag, and one for the trials without any; None where no trial is flagged."""
    finished = facts.outcome.finished
    flags = sorted({flag for r in finished for flag in r.flags})
    if not flags:
        return None
    rows = [_row(flag, [r for r in finished if flag in r.flags]) for flag in flags]
    return Section(
        "flags", "Trust flags", {"rows": [*rows, _row("", [r for r in finished if not r.flags])]}
    )


def _row(flag: str, trials: Sequence[Attempted]) -> dict[str, Any]:
    """flag ("" = none), trials, rate with its interval over the scored ones, and how many verdicts
    equal the truth."""
    scored = [(r.score, r.task) for r in trials if r.score is not None]
    rate = score_rate([score for score, _ in scored], [task for _, task in scored])
    known = [r.right for r in trials if r.right is not None]
    return {
        "flag": flag,
        "trials": len(trials),
        "scored": rate.trials,
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
        "right": sum(known),
        "known": len(known),
    }
