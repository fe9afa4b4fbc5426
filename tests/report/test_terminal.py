from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.report.formats import percent
from worldgym.report.grid import Grid, folded
from worldgym.report.terminal import _pair, print_summary
from worldgym.stats.summarize import summarize

NAMES = ("good", "[red]poor[/red]")
HEADER = RunHeader(
    {},
    "worldgym evaluate",
    tuple({"name": name} for name in NAMES),
    "world-1",
    "judge-1",
    7,
    {},
    "",
)


def record(policy: str, group: str, **fields: Any) -> TrialRecord:
    return TrialRecord(
        policy, f"{group}/1", group, "open", **{"repeat": 0, "seed": 1, "score": 1.0, **fields}
    )


def printed(records: list[TrialRecord], width: int = 100) -> str:
    out = StringIO()
    print_summary(summarize(HEADER, records), Console(file=out, width=width))
    return out.getvalue().replace("\N{NO-BREAK SPACE}", " ")


def test_the_table_holds_rates_intervals_and_truth() -> None:
    text = printed(
        [
            record("good", "door", truth=False),
            record("good", "door", repeat=1, score=0.0, truth=False),
        ]
    )
    for part in (
        "success rates, %",
        "door",
        "all tasks",
        "50",
        "5–95",
        "truth 0",
        "in the world model, good succeeds in 50 %",
    ):
        assert part in text, part


def test_many_policies_get_a_row_each() -> None:
    names = [f"policy-{i}" for i in range(6)]
    header = RunHeader(
        {},
        "worldgym evaluate",
        tuple({"name": name} for name in names),
        "world-1",
        "judge-1",
        7,
        {},
        "",
    )
    trials = [
        record(name, group, truth=group == "door")
        for name in names
        for group in ("door", "window-close")
    ]
    out = StringIO()
    print_summary(
        summarize(header, [*trials[:-1], record(names[5], "window-close", score=0.0)]),
        Console(file=out, width=80),
    )
    lines = out.getvalue().replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert next(line for line in lines if "policy-0" in line).split() == [
        "policy-0",
        "100|100",
        "100|0",
        "100|50",
    ]
    assert next(line for line in lines if "policy-5" in line).split() == [
        "policy-5",
        "100|100",
        "0",
        "50",
    ]
    assert max(map(len, lines)) <= 80


def test_a_table_says_truth_only_where_some_is_known() -> None:
    names = [f"policy-{i}" for i in range(6)]
    head = replace(HEADER, policies=tuple({"name": name} for name in names))
    for truth, heading in (
        (True, "success rates, %: world model|truth"),
        (None, "success rates, %"),
    ):
        out = StringIO()
        trials = [record(name, "door", truth=truth) for name in names]
        print_summary(summarize(head, trials), Console(file=out, width=80))
        assert heading in [line.strip() for line in out.getvalue().splitlines()]


def test_absent_cells_and_unscored_ones_stay_empty() -> None:
    text = printed([record("good", "door"), record(NAMES[1], "drawer", score=None, reason="dark")])
    assert "–" in text and "true success rates are unknown" in text


def test_markup_in_names_is_printed_as_it_is() -> None:
    assert "[red]poor[/red]" in printed([record(NAMES[1], "[bold]door"), record("good", "door")])


@pytest.mark.parametrize("width", [40, 80])
def test_narrow_terminals_fold_names_but_lose_nothing(width: int) -> None:
    text = printed([record("good", "button-press-topdown-with-a-long-name")], width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


NUMBER = re.compile(r"\d[\d.]*(?:[|–]\d[\d.]*)*|–")
LONG = [f"a-policy-with-a-rather-long-name-{i}" for i in range(8)]
TASKS = [
    f"put-the-{what}-into-the-basket"
    for what in ("carrot", "eggplant", "spoon", "cup", "redapple", "can", "box", "pan")
]
TASKS += ["anextraordinarilylongnamewithoutanyseparator", "x"]


@cache
def crowded(policies: int) -> dict[str, Any]:
    """Long names and ten tasks; one policy lacks a trial."""
    trials = [
        record(name, task, score=1.0 if i % 3 else 0.0, truth=True, repeat=i)
        for name in LONG[:policies]
        for task in TASKS
        for i in range(3 if name != LONG[1] or task != "x" else 2)
    ]
    names = tuple({"name": name} for name in LONG[:policies])
    return summarize(RunHeader({}, "worldgym evaluate", names, "w", "j", 7, {}, ""), trials)


@pytest.mark.parametrize("width", [60, 80, 108, 200])
@pytest.mark.parametrize("policies", [4, 8])
def test_tables_fit_the_width_and_break_no_number(width: int, policies: int) -> None:
    """All numbers of all cells stand in the tables whole, and no line is too long."""
    summary, out = crowded(policies), StringIO()
    print_summary(summary, Console(file=out, width=width))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    tables = "\n".join(lines[: next(i for i, line in enumerate(lines) if "orld model," in line)])
    wanted = (
        _pair
        if policies > 4
        else lambda cell: percent(cell.rate).removesuffix("\N{NO-BREAK SPACE}%")
    )
    shown = Counter(NUMBER.findall(tables))
    for number, count in Counter(wanted(cell) for cell in summary.cells).items():
        assert shown[number] >= count, number
    assert "2/3 run" in tables


def test_a_table_without_room_keeps_its_numbers() -> None:
    out = StringIO()
    Grid(
        "t", "name", ["heading"], [(Text("a name that is long"), [Text("100|100 (95–100)")])]
    ).print(Console(file=out, width=12))
    assert "100|100 (95–100)" in out.getvalue()


@given(st.text(st.sampled_from("ab-_ ."), min_size=1, max_size=30), st.integers(1, 20))
def test_folding_loses_no_letter_and_fits(name: str, width: int) -> None:
    lines = folded(name, width).split("\n")
    assert all(len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")


def test_a_run_without_trials() -> None:
    assert "No trial has been scored yet." in printed([])
