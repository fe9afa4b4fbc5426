"""How the run was made: command, seeds, versions, settings, and everything that entered no rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from worldgym.io.run_records import PLANNED_KEY
from worldgym.report.section import ReportFacts, Section


def made_section(facts: ReportFacts) -> Section:
    config = {
        key: value for key, value in facts.header.config.items() if key != PLANNED_KEY
    }  # the list of trials is below
    return Section(
        "made",
        "How this was made",
        {"trials": facts.trials, "losses": _losses(facts), "config": config},
    )


def _losses(facts: ReportFacts) -> list[tuple[str, str, int]]:
    """(what, reason, how many) of everything that entered no rate or was flagged, most frequent
    first."""
    unscored = Counter(r.reason for r in facts.outcome.finished if r.score is None)
    failed = Counter(r.failure_reason for r in facts.records if r.failure_reason is not None)
    flags = Counter(flag for r in facts.outcome.finished for flag in r.flags)
    kinds: Mapping[str, Counter[str]] = {
        "unscored trials": unscored,
        "failed attempts": failed,
        "flagged trials": flags,
    }
    return [
        (kind, reason, count)
        for kind, counter in kinds.items()
        for reason, count in counter.most_common()
    ]
