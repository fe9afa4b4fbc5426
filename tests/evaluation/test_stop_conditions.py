"""Signals end a run after what is begun, wherever its batches are computed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from signalled_runs import signalled

from worldgym.evaluation.stop_conditions import (
    Ending,
    Terminated,
    ended_by_signals,
    terminated_at_once,
)


def test_sigterm_ends_after_what_is_begun(capsys: pytest.CaptureFixture[str]) -> None:
    ending = Ending(None)
    with ended_by_signals(ending, interrupt=False):
        assert ending.goes_on()
        os.kill(os.getpid(), signal.SIGTERM)
        assert not ending.goes_on()
    assert "the same command continues" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    late = Ending(1e-9)
    time.sleep(0.01)
    assert not late.goes_on() and not late.goes_on()
    assert capsys.readouterr().err.count("minutes are over") == 1


def test_time_begins_with_the_first_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or what loads for longer than the limit would never begin anything."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    ending = Ending(1.0)
    ending.wait_for_workers()
    now[0] = 500.0
    assert ending.goes_on()
    ending.workers_are_there()
    now[0] = 550.0
    ending.workers_are_there()  # another one
    assert ending.goes_on()
    now[0] = 561.0
    assert not ending.goes_on()
    without = Ending(None)
    without.wait_for_workers()
    without.workers_are_there()
    assert without.goes_on()


def test_sigterm_outside_a_run_is_raised_at_once() -> None:
    with pytest.raises(Terminated), terminated_at_once():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize(
    ("on", "number", "code"),
    [
        ("local", signal.SIGTERM, 75),
        ("processes", signal.SIGTERM, 75),
        ("processes", signal.SIGINT, 130),
    ],
)
def test_a_signal_to_all_processes_loses_no_batch(
    on: str, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """As a terminal sends Ctrl-C, and a scheduler SIGTERM: to the workers too."""
    found = signalled(tmp_path / "run", on, number)
    assert found.code == code
    # what was at work, and what waited behind it with its worker, is kept
    assert found.before < found.after < found.planned and found.after % 2 == 0
    assert "lost" not in found.said and "the same command continues" in found.said
    assert not (tmp_path / "run" / "lost.jsonl").exists()
    assert (tmp_path / "run" / "report.html").exists() == (code == 75)
