"""Signals that were measured before are found again, with the run that they were measured of.
How they are measured and resumed: test_trust_report.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from app_runs import header, trial

from worldgym.io.jsonl import signed_line
from worldgym.trust.measured_signals import SIGNALS_NAME, kept_signals


def leave(folder: Path, started: str, **trials: dict[str, float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [{"measured_with": {"run": started}}]
    rows += [{"trial": name, "signals": found} for name, found in trials.items()]
    (folder / SIGNALS_NAME).write_bytes(b"".join(map(signed_line, rows)))


@pytest.mark.parametrize("place", ["out/run", "out", "out/fit", "out/fit/run-2"])
def test_signals_are_found_in_the_run_around_it_and_beside_it(tmp_path: Path, place: str) -> None:
    run = tmp_path / "out" / "run"
    run.mkdir(parents=True)
    known, record = header(), trial("good", "door", 1)
    assert kept_signals(run, known, record) == ({}, run)
    leave(tmp_path / "out" / "another", "2020-01-01", **{"good door/1 0": {"residual": 9.0}})
    assert kept_signals(run, known, record) == ({}, run)
    leave(tmp_path / place, known.started, **{"good door/1 0": {"residual": -1.5}})
    assert kept_signals(run, known, record) == ({"residual": -1.5}, tmp_path / place)
    assert kept_signals(run, known, replace(record, repeat=1)) == ({}, run)
