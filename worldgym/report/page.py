"""From the run log to RUN/report.html: one file, no network, videos included."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from worldgym.errors import InputError
from worldgym.files import write_atomic
from worldgym.log import LOG_NAME, Results, RunHeader, TrialRecord, read_log, results
from worldgym.report import words
from worldgym.report.figures import COLOURS, interval_bar, scatter
from worldgym.report.gallery import make_cards
from worldgym.report.perturbed import perturbed_section
from worldgym.stats.calibration import Calibration
from worldgym.stats.summary import summarize

REPORT_NAME = "report.html"


@dataclass(frozen=True)
class ReportOptions:
    """gallery_trials: how many trials are shown with their videos; 0 makes a page without videos."""

    gallery_trials: int = 90

    def __post_init__(self) -> None:
        if self.gallery_trials < 0:
            raise InputError(f"gallery_trials must be 0 or more, not {self.gallery_trials}")


def write_report(run_dir: Path, options: ReportOptions = ReportOptions(), summary: Mapping[str, Any] | None = None) -> Path:
    """Reads RUN/log.jsonl and writes RUN/report.html. InputError if the log is absent or corrupt, or RUN not writable.

    summary: the run's, where it is at hand; None = computed from the log.
    """
    header, records = read_log(run_dir / LOG_NAME)
    path = run_dir / REPORT_NAME
    summary = summary or summarize(header, records, Calibration.of_run(run_dir))
    context = _context(run_dir, header, records, summary, options)
    write_atomic(path, render(context).encode())
    return path


def render(context: Mapping[str, Any]) -> str:
    """The page as text. Everything from the log is escaped by the template."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": words.percent, "decimal": words.decimal, "pretty": _pretty}
    environment.globals |= {"bar": interval_bar, "span": words.span, "colours": COLOURS}
    return environment.get_template("template.html").render(context)


def _context(
    run_dir: Path, header: RunHeader, records: Sequence[TrialRecord], summary: Mapping[str, Any], options: ReportOptions
) -> dict[str, Any]:
    outcome = results(records)
    policies = [p["policy"] for p in summary["policies"]]
    sentences = words.sentences(summary)
    return {
        "header": header,
        "summary": summary,
        "headline": words.headline(summary),
        "sentences": sentences,
        "policies": policies,
        "tasks": sorted({c["task"] for c in summary["cells"]}),
        "cells": {(c["policy"], c["task"]): c for c in summary["cells"]},
        "ranked": _ranked(summary),
        "compared": [words.compared(c, len(summary["comparisons"])) for c in summary["comparisons"]],
        "perturbed": perturbed_section(summary, run_dir),
        "scatter": scatter(summary["cells"], policies),
        "cards": make_cards(run_dir, outcome.finished, policies, options.gallery_trials),
        "trials": sorted(outcome.finished + outcome.failed, key=lambda r: (r.group, r.task, r.repeat, policies.index(r.policy))),
        "losses": _losses(outcome, records),
    }


def _ranked(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Policies by their probability of being best: policy, index (its colour), best, ranks [highest, lowest]."""
    ranking = summary["ranking"]
    if ranking is None or len(ranking["policies"]) < 2:
        return []
    rows = zip(ranking["policies"], range(len(ranking["policies"])), ranking["best"], ranking["ranks"], strict=True)
    keys = ("policy", "index", "best", "ranks")
    return sorted((dict(zip(keys, row, strict=True)) for row in rows), key=lambda row: (-row["best"], row["ranks"]))


def _losses(outcome: Results, records: Sequence[TrialRecord]) -> list[tuple[str, str, int]]:
    """(what, reason, how many) of everything that entered no rate or was flagged, most frequent first."""
    unscored = Counter(r.reason for r in outcome.finished if r.score is None)
    failed = Counter(r.failure_reason for r in records if r.failure_reason is not None)
    flags = Counter(flag for r in outcome.finished for flag in r.flags)
    kinds: Mapping[str, Counter[str]] = {"unscored trials": unscored, "failed attempts": failed, "flagged trials": flags}
    return [(kind, reason, count) for kind, counter in kinds.items() for reason, count in counter.most_common()]


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=dict)
