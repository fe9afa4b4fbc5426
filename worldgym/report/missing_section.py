"""Which planned trials the log lacks: above all numbers, because they are made without them."""

from __future__ import annotations

from worldgym.report.section import ReportFacts, Section
from worldgym.report.trial_sentences import absent_words, lacking_cells, missing_sentence

ROWS = 200  # of the table; summary.json has all
NAMED = 5  # rows of trials that a row names


def missing_section(facts: ReportFacts) -> Section | None:
    """One row per policy and task that lacks trials, the most lacking first."""
    said = missing_sentence(facts.summary)
    if not said:
        return None
    cells = lacking_cells(facts.summary)
    rows = [(facts.policies.index(c.policy), c, absent_words(c, NAMED)) for c in cells[:ROWS]]
    return Section(
        "missing", "Missing trials", {"said": said, "rows": rows, "more": len(cells) - len(rows)}
    )
