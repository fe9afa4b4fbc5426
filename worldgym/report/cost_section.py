"""What the run took: time by its parts, votes, tokens and money, policy by policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worldgym.report.section import ReportFacts, Section


def costs_section(facts: ReportFacts) -> Section | None:
    """None where the log knows neither times nor votes."""
    spent = facts.summary["expenses"]
    if not spent["seconds"] and not spent["votes"]:
        return None
    longest = max((_each(row)["seconds"] for row in spent["policies"]), default=0.0)
    rows = [
        {**row, "each": _each(row), "shares": _shares(row, longest)} for row in spent["policies"]
    ]
    return Section(
        "costs", "Cost and time", {"rows": rows, "total": spent, "parts": list(spent["timing"])}
    )


def _each(row: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds of one attempt: of its rollout and of its parts."""
    n = max(row["attempts"], 1)
    return {
        "seconds": row["seconds"] / n,
        "timing": {part: seconds / n for part, seconds in row["timing"].items()},
    }


def _shares(row: Mapping[str, Any], longest: float) -> dict[str, float]:
    """Parts as shares of the longest bar, which is that of the policy whose attempts take longest,
    judging included."""
    each = _each(row)["timing"]
    full = max(longest, sum(each.values()))
    return {part: seconds / full for part, seconds in each.items()} if full > 0 else {}
