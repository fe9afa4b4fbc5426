"""Missing trials are told above all numbers, by policy and task, in every form."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from rich.console import Console
from small_logs import header, record

from worldgym.io.run_log import RunLog
from worldgym.report.comparison_text import comparison_text
from worldgym.report.missing_section import ROWS
from worldgym.report.page import write_results
from worldgym.report.terminal import print_summary
from worldgym.stats.planned_trials import AbsentTrials
from worldgym.stats.summary import Summary

PLAN = {
    "tasks": {"door": {"door/0": 9, "door/1": 9}, "a/very/long/name/of/a/task/group": {"x/0": 40}},
    "edited": {},
}


def written(folder: Path) -> Summary:
    records = [
        *(record("fine", f"door/{i}", 1.0, repeat=r) for i in range(2) for r in range(9)),
        record("late", "door/0", 1.0),
        record("late", "door/0", failure_reason="the server hung up", repeat=4),
    ]
    with RunLog.open(folder, header(["fine", "late"], planned=PLAN)) as log:
        log.append(*records)
    return write_results(folder)


def test_summary_page_and_terminal_say_the_same(tmp_path: Path) -> None:
    summary = written(tmp_path)
    (cell,) = (c for c in summary.cells if (c.policy, c.task) == ("late", "door"))
    assert (cell.planned, cell.trials, cell.failed, cell.missing) == (18, 1, 1, 16)
    assert cell.absent == (
        AbsentTrials("door/0", 1, 3),
        AbsentTrials("door/0", 5, 8),
        AbsentTrials("door/1", 0, 8),
    )
    kept = json.loads((tmp_path / "summary.json").read_text())
    told = {(c["policy"], c["task"]): c["absent"] for c in kept["cells"]}
    assert told["late", "door"][0] == {"initial_frame": "door/0", "first": 1, "last": 3}
    page = (tmp_path / "report.html").read_text()
    first = page.index("<section")
    assert page[first:].startswith('<section id="missing"')
    assert "<td>18</td><td>1</td><td>1</td><td>16</td><td>door/0, repeats 1 to 3; door/0" in page
    out = StringIO()
    print_summary(summary, Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    said = " ".join(out.getvalue().replace("\N{NO-BREAK SPACE}", " ").split())
    assert "Unfinished run: " in said and "96 of 116 planned trials are missing" in said
    row = "late on door: 18 planned, 1 done, 1 failed, 16 missing (door/0, repeats 1 to 3; door/0,"
    assert row in said
    compared = comparison_text(summary).replace("\N{NO-BREAK SPACE}", " ")
    assert row in compared


def test_a_whole_run_has_no_such_section(tmp_path: Path) -> None:
    with RunLog.open(tmp_path, header(["a"], planned={"t": 1})) as log:
        log.append(record("a", "t/0", 1.0))
    summary = write_results(tmp_path)
    assert "Missing trials" not in (tmp_path / "report.html").read_text()
    assert all(cell.absent == () for cell in summary.cells)


def test_a_page_names_no_more_rows_than_it_can_show(tmp_path: Path) -> None:
    plan = {f"g{i}": 1 for i in range(ROWS + 5)}
    with RunLog.open(tmp_path, header(["a"], planned=plan)) as log:
        log.append(record("a", "g0/0", 1.0))
    write_results(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert page.count("repeat 0</td>") == ROWS and "4 more rows are in summary.json" in page
