from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from worldgym.log import RunHeader, TrialRecord
from worldgym.report.terminal import print_summary
from worldgym.stats.summary import summarize

NAMES = ("good", "[red]poor[/red]")
HEADER = RunHeader({}, "worldgym evaluate", tuple({"name": name} for name in NAMES), "world-1", "judge-1", 7, {}, "")


def record(policy: str, group: str, **fields: Any) -> TrialRecord:
    return TrialRecord(policy, f"{group}/1", group, "open", **{"repeat": 0, "seed": 1, "score": 1.0, **fields})


def printed(records: list[TrialRecord], width: int = 100) -> str:
    out = StringIO()
    print_summary(summarize(HEADER, records), Console(file=out, width=width))
    return out.getvalue().replace("\N{NO-BREAK SPACE}", " ")


def test_the_table_holds_rates_intervals_and_truth() -> None:
    text = printed([record("good", "door", truth=False), record("good", "door", repeat=1, score=0.0, truth=False)])
    for part in ("success rates, %", "door", "all tasks", "50", "9–91", "truth 0", "In the world model, good succeeds in 50 %"):
        assert part in text, part


def test_many_policies_get_a_row_each() -> None:
    names = [f"policy-{i}" for i in range(6)]
    header = RunHeader({}, "worldgym evaluate", tuple({"name": name} for name in names), "world-1", "judge-1", 7, {}, "")
    trials = [record(name, group, truth=group == "door") for name in names for group in ("door", "window-close")]
    out = StringIO()
    print_summary(summarize(header, [*trials[:-1], record(names[5], "window-close", score=0.0)]), Console(file=out, width=80))
    lines = out.getvalue().replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert next(line for line in lines if "policy-0" in line).split() == ["policy-0", "100|100", "100|0", "100|50"]
    assert next(line for line in lines if "policy-5" in line).split() == ["policy-5", "100|100", "0", "50|100"]
    assert max(map(len, lines)) <= 80


def test_absent_cells_and_unscored_ones_stay_empty() -> None:
    text = printed([record("good", "door"), record(NAMES[1], "drawer", score=None, reason="dark")])
    assert "–" in text and "truth is unknown" in text


def test_markup_in_names_is_printed_as_it_is() -> None:
    assert "[red]poor[/red]" in printed([record(NAMES[1], "[bold]door"), record("good", "door")])


@pytest.mark.parametrize("width", [40, 80])
def test_narrow_terminals_fold_names_but_lose_nothing(width: int) -> None:
    text = printed([record("good", "button-press-topdown-with-a-long-name")], width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_a_run_without_trials() -> None:
    assert "No trial has been scored yet." in printed([])
