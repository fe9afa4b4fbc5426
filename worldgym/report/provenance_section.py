"""How the run was made: command, seeds, versions, settings, and everything that no rate
includes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.jsonl import read_lines
from worldgym.io.run_files import LOST_NAME
from worldgym.io.run_records import PLANNED_KEY
from worldgym.report.section import ReportFacts, Section

MOST_TRIALS = 2000  # listed on the page; of more, every n-th
MOST_REASONS = 50  # of a kind


def made_section(facts: ReportFacts) -> Section:
    config = {
        key: value for key, value in facts.header.config.items() if key != PLANNED_KEY
    }  # the list of trials is below
    every = -(-facts.trials // MOST_TRIALS)
    listed = [*facts.outcome.finished, *facts.outcome.failed][:: max(every, 1)]
    place = {policy: i for i, policy in enumerate(facts.policies)}
    listed.sort(key=lambda r: (r.group, r.task, r.repeat, place[r.policy]))
    return Section(
        "made",
        "How this was made",
        {
            "trials": facts.records(listed),
            "every": every,
            "losses": _losses(facts),
            "config": config,
        },
    )


def _losses(facts: ReportFacts) -> list[tuple[str, str, int]]:
    """(what, reason, how many) of everything that entered no rate, was flagged or was lost with
    its worker, the most frequent of each kind."""
    unscored = Counter(r.reason for r in facts.outcome.finished if r.score is None)
    failed = Counter(r.failure_reason for r in facts.attempts if r.failure_reason is not None)
    flags = Counter(flag for r in facts.outcome.finished for flag in r.flags)
    kinds: Mapping[str, Counter[str]] = {
        "losses of workers": Counter(_lost(facts.run / LOST_NAME)),
        "unscored trials": unscored,
        "failed attempts": failed,
        "flagged trials": flags,
    }
    rows = []
    for kind, counter in kinds.items():
        rows += [(kind, reason, n) for reason, n in counter.most_common(MOST_REASONS)]
        if left := counter.total() - sum(n for _, n in counter.most_common(MOST_REASONS)):
            rows.append((kind, f"{len(counter) - MOST_REASONS} other reasons", left))
    return rows


def _lost(path: Path) -> list[str]:
    """Reasons why batches were run again, or given up."""
    if not path.exists():
        return []
    try:
        lines = read_lines(path, "a list of lost batches", "remove it")
    except InputError:  # nothing depends on it
        return [f"{path.name} cannot be read"]
    return [str(line.data.get("reason", "unknown")) for line in lines]
