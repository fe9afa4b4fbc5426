"""The report's section on edits: drops with intervals, pictures inside the page, every text
escaped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from worldgym.io.run_log import RunLog
from worldgym.io.run_records import RunHeader, TrialRecord, results
from worldgym.report.edit_section import interval, perturbed_section, perturbed_sentences
from worldgym.report.formats import NBSP, points
from worldgym.report.page import write_report
from worldgym.report.section import ReportFacts, ReportOptions
from worldgym.report.terminal import print_summary
from worldgym.stats.perturbation import Drop
from worldgym.stats.run_attempts import RunAttempts
from worldgym.stats.summarize import summarize, write_summary
from worldgym.tasks.write_tasks import to_png

EVIL = "<script>alert(1)</script>"


def run(folder: Path) -> RunLog:
    """One policy that dim light harms on half of eight doors; the picture of the edited twin of
    door/0 is kept."""
    log = RunLog.open(
        folder, RunHeader({}, "worldgym evaluate", ({"name": EVIL},), "w", "j", 0, {}, "")
    )
    (folder / "frames").mkdir()
    (folder / "frames/dim.png").write_bytes(to_png(np.zeros((16, 16, 3), np.uint8)))
    for i in range(8):
        log.append(TrialRecord(EVIL, f"door/{i}", "door", "open", 0, i, score=1.0, truth=True))
        twin = {
            "nominal": f"door/{i}",
            "axis": f"light {EVIL}",
            "frame": "frames/dim.png",
            "truth": i > 3,
        }
        log.append(
            TrialRecord(
                EVIL, f"dim/door/{i}", "dim/door", f"öffne {EVIL}", 0, i, score=float(i % 2), **twin
            )
        )  # type: ignore[arg-type]
    return log


def test_words() -> None:
    assert (points(0.123), points(-0.06), points(None)) == ("+12", "−6", "–")
    known = Drop(drop=0.5, low=0.2, high=0.75, p=0.1, n=8, initial_frames=8, unpaired=0)
    assert interval(known) == "+50 [+20, +75]" and interval(replace(known, drop=None)) == "–"


def test_page_terminal_and_headline(tmp_path: Path) -> None:
    run(tmp_path)
    summary = write_summary(tmp_path, RunAttempts.read(tmp_path))
    # edited trials enter no rate
    assert summary.policies[0].trials == 8 and summary.policies[0].rate == 1.0
    text = write_report(tmp_path, summary=summary).read_text()
    assert (
        EVIL not in text
        and "Out of distribution" in text
        and "+50 [" in text
        and "data:image/png;base64," in text
    )
    assert "no picture" in text  # the nominal frame was not kept
    assert "img-src data:" in text
    console = Console(record=True, width=160)
    print_summary(summary, console)
    printed = console.export_text()
    assert "drop by edits" in printed and "true +50" in printed
    said = perturbed_sentences(summary)
    assert said[0].replace(NBSP, " ").startswith("Of 1 kind of edit, light ")
    assert "lowers the success rate most: drop +50 points" in said[0]
    assert "of 1 true drops of 10 points or more, 1 are predicted as drops" in said[1]
    assert "the bias +0.0 points; of 1 true" in said[1] and "changes under 10" not in said[1]


def test_a_run_without_edits_has_no_section(tmp_path: Path) -> None:
    record = TrialRecord("p", "door/1", "door", "open", 0, 1, score=1.0)
    header = RunHeader({}, "", ({"name": "p"},), "w", "j", 0, {}, "")
    summary = summarize(header, [record])
    facts = ReportFacts(tmp_path, header, [record], results([record]), summary, ReportOptions())
    assert (
        summary.perturbed is None
        and perturbed_section(facts) is None
        and perturbed_sentences(summary) == []
    )
