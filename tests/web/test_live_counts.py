"""What is told of a run in progress, from its log alone."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pytest
from app_runs import fill, header, trial

from worldgym.io.run_log import LOG_NAME, RunLog, read_log
from worldgym.stats.summarize import summarize
from worldgym.web.live_counts import LiveCounts, run_state
from worldgym.web.log_index import LogIndex


def records() -> list:  # type: ignore[type-arg]
    return [
        trial(policy, group, start, score=score)
        for policy, group, start, score in (
            ("good", "door", 0, 1.0),
            ("good", "door", 1, 0.5),
            ("good", "drawer", 0, 0.0),
            ("poor", "door", 0, 1.0),
        )
    ] + [
        trial("poor", "door", 1, score=None, reason="too dark"),
        trial("poor", "drawer", 0, score=None, reason="", failure_reason="hung up 3 times"),
        trial("good", "edited", 0, nominal="door/0", axis="light"),
    ]


def test_rates_and_counts_are_those_of_the_report(tmp_path: Path) -> None:
    run = fill(tmp_path, header(), records())
    counts = LiveCounts(LogIndex(run))
    assert counts.refresh() and not counts.refresh()
    summary = summarize(*read_log(run / LOG_NAME))
    for cell in counts.cells:
        known = summary.cell(cell.policy, cell.task)
        assert known is not None
        told = asdict(cell)
        for name in ("rate", "low", "high", "failed", "unscored"):
            assert told[name] == vars(known)[name], (cell, name)
        assert told["scored"] == known.trials and told["planned"] == known.planned
        assert told["done"] == known.planned - known.missing
    assert counts.planned == summary.completeness.planned
    assert counts.done == summary.completeness.planned - summary.completeness.missing
    assert counts.reasons()["failed"][0]["reason"] == "hung up 3 times"


def test_line_by_line_equals_at_once(tmp_path: Path) -> None:
    at_once = LiveCounts(LogIndex(fill(tmp_path / "whole", header(), records())))
    at_once.refresh()
    following = LiveCounts(LogIndex(tmp_path / "live"))
    with RunLog.open(tmp_path / "live", header()) as log:
        following.refresh()
        for record in records():
            log.append(record)
            assert following.refresh()
    assert following.cells == at_once.cells and following.newest() == at_once.newest()


def test_pace_and_what_is_left(tmp_path: Path) -> None:
    counts = LiveCounts(LogIndex(fill(tmp_path, header(), records())))
    counts.refresh()
    last = datetime.fromisoformat("2026-11-29T10:00:01+00:00").timestamp()
    pace = counts.pace(last + 30)
    assert pace.per_minute == 7 and pace.seconds_left == pytest.approx((12 - 6) * 60 / 7)
    assert counts.pace(last + 3600).seconds_left is None


@pytest.mark.parametrize(
    ("done", "planned", "age", "state"),
    [
        (3, 3, 9999, "finished"),
        (2, 3, 10, "running"),
        (2, 3, 9999, "stopped"),
        (2, None, 9999, "finished"),
        (2, None, 1, "running"),
    ],
)
def test_states(done: int, planned: int | None, age: float, state: str) -> None:
    assert run_state(done, planned, 1000.0, 1000.0 + age) == state
