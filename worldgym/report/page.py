"""From the run log to RUN/report.html: one file, no network, videos included."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from worldgym.io.files import write_atomic
from worldgym.report import findings, formats, trust_sentences
from worldgym.report.cost_section import costs_section
from worldgym.report.edit_section import perturbed_section
from worldgym.report.figures import COLOURS, interval_bar
from worldgym.report.flag_section import flags_section
from worldgym.report.gallery_section import gallery_section
from worldgym.report.missing_section import missing_section
from worldgym.report.order_section import order_section
from worldgym.report.provenance_section import made_section
from worldgym.report.rate_section import policies_section, tasks_section
from worldgym.report.scatter_section import scatter_section
from worldgym.report.section import ReportFacts, ReportOptions, Section
from worldgym.report.step_section import steps_section
from worldgym.stats.run_attempts import RunAttempts
from worldgym.stats.run_calibration import calibration_of_run
from worldgym.stats.summarize import summary_of, write_summary
from worldgym.stats.summary import Summary
from worldgym.stats.world_trust import WorldTrust

REPORT_NAME = "report.html"
SECTIONS: tuple[Callable[[ReportFacts], Section | None], ...] = (  # None = there is nothing to tell
    missing_section,
    policies_section,
    scatter_section,
    order_section,
    steps_section,
    tasks_section,
    perturbed_section,
    flags_section,
    gallery_section,
    costs_section,
    made_section,
)


def write_report(
    run_dir: Path,
    options: ReportOptions = ReportOptions(),
    summary: Summary | None = None,
    run: RunAttempts | None = None,
) -> Path:
    """Reads RUN/log.jsonl and writes RUN/report.html. InputError if the log is absent or corrupt,
    or RUN not writable.

    summary, run: the run's, if available; None = derived from the log.
    """
    run = run or RunAttempts.read(run_dir)
    if summary is None:
        summary = summary_of(run, calibration_of_run(run_dir), WorldTrust.of_run(run_dir))
    facts = ReportFacts(run_dir, run.header, run.attempts, run.outcome, summary, options)
    path = run_dir / REPORT_NAME
    write_atomic(path, render(facts).encode())
    return path


def write_results(run_dir: Path, include_red: bool = False) -> Summary:
    """Writes RUN/summary.json (see `write_summary`) and RUN/report.html from RUN/log.jsonl, and
    returns the summary."""
    run = RunAttempts.read(run_dir)
    summary = write_summary(run_dir, run, include_red)
    write_report(run_dir, summary=summary, run=run)
    return summary


def page_environment(*folders: Path) -> Environment:
    """Templates of the report, after those of other folders. Everything is escaped that a template
    does not mark as markup."""
    environment = Environment(
        loader=FileSystemLoader([*folders, Path(__file__).parent / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "chance": formats.chance,
        "percent": formats.percent,
        "decimal": formats.decimal,
        "tally": formats.tally,
        "duration": formats.duration,
        "pretty": _pretty,
    }
    environment.globals |= {
        "bar": interval_bar,
        "span": formats.span,
        "colours": COLOURS,
        "reached": trust_sentences.reached,
        "signed": formats.signed,
        "noise_words": trust_sentences.NOISE,
    }
    return environment


def render(facts: ReportFacts) -> str:
    """The page as text."""
    return page_environment().get_template("page.html").render(_context(facts, SECTIONS))


def render_figures(facts: ReportFacts) -> str:
    """What the page says and draws, without its shell and its videos: for `worldgym view`."""
    shown = [make for make in SECTIONS if make is not gallery_section]
    return page_environment().get_template("figures.html").render(_context(facts, shown))


def compared_sections(facts: ReportFacts) -> dict[str, Any]:
    """What a comparison of runs takes from the page: rates, ranking, success against step."""
    return _context(
        facts, (missing_section, policies_section, order_section, steps_section, tasks_section)
    )


def _context(
    facts: ReportFacts, sections: Sequence[Callable[[ReportFacts], Section | None]]
) -> dict[str, Any]:
    found = [section for section in (make(facts) for make in sections) if section is not None]
    return {
        "header": facts.header,
        "summary": facts.summary,
        "unequal": facts.summary.unequal_mixture,
        "lede": findings.lede(facts.summary),
        "headline": findings.headline(facts.summary),
        "sentences": findings.sentences(facts.summary),
        "policies": facts.policies,
        "tasks": facts.tasks,
        "sections": _paired(found),
    }


def _paired(sections: Sequence[Section]) -> list[Section]:
    """Narrow sections stand in pairs; one that has no narrow neighbour left gets the whole
    width."""
    # left: the section before is narrow and waits for a neighbour
    placed = list[Section]()
    left = False
    for section in sections:
        if left and not section.narrow:
            placed[-1] = replace(placed[-1], narrow=False)
        placed.append(section)
        left = section.narrow and not left
    if left:
        placed[-1] = replace(placed[-1], narrow=False)
    return placed


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=dict)
