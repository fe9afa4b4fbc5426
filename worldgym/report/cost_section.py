"""The cost of the run: time by its parts, votes, tokens and money, policy by policy."""

from __future__ import annotations

from worldgym.report.section import ReportFacts, Section
from worldgym.stats.expenses import Expenses


def costs_section(facts: ReportFacts) -> Section | None:
    """None where the log has neither times nor votes."""
    spent = facts.summary.expenses
    if not spent.seconds and not spent.votes:
        return None
    longest = max((_each(row, row.seconds) for row in spent.policies), default=0.0)
    rows = [
        {
            "spent": row,
            "seconds": _each(row, row.seconds),
            "timing": _parts(row),
            "shares": _shares(row, longest),
        }
        for row in spent.policies
    ]
    return Section(
        "costs", "Cost and time", {"rows": rows, "total": spent, "parts": list(spent.timing)}
    )


def _each(row: Expenses, seconds: float) -> float:
    """Of one attempt."""
    return seconds / max(row.attempts, 1)


def _parts(row: Expenses) -> dict[str, float]:
    """Seconds of the parts of one attempt."""
    return {part: _each(row, seconds) for part, seconds in row.timing.items()}


def _shares(row: Expenses, longest: float) -> dict[str, float]:
    """Parts as shares of the longest bar, which is that of the policy whose attempts take longest,
    judging included."""
    each = _parts(row)
    full = max(longest, sum(each.values()))
    return {part: seconds / full for part, seconds in each.items()} if full > 0 else {}
