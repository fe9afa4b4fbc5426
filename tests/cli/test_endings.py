"""How a run ended is told by the exit code, and why by one sentence and the reasons: the table of
docs/conventions.md."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from worldgym import cli
from worldgym.api import Run, evaluate
from worldgym.cli.output import end_as, show_ran
from worldgym.errors import InputError
from worldgym.evaluation.watchdog import STALLED
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task


class Broken(FakePolicy):
    """Raises on the first task; at a level above one half, on all."""

    def reset(self, trials):  # type: ignore[no-untyped-def]
        if self.level > 0.5 or any(trial.task.name == "t/0" for trial in trials):
            raise RuntimeError("CUDA out of memory")
        return super().reset(trials)


def ended(monkeypatch: pytest.MonkeyPatch, run: Callable[[], None]) -> int:
    """The exit code of a command that does this."""

    monkeypatch.setattr(cli, "parsed", lambda words: run)
    try:
        cli.main([])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def evaluated(
    out: Path, policies: list[FakePolicy], trials: int = 2, **options: Any
) -> Callable[[], None]:
    tasks = [
        Task(f"t/{i}", "t", np.zeros((16, 24, 3), np.uint8), "do it", 3) for i in range(trials)
    ]
    return lambda: show_ran(
        evaluate(
            FakeWorld(), policies, tasks, FakeJudge(), out=out, trials=trials, batch=2, **options
        ),
        False,
    )


def test_all_trials_finished(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert ended(monkeypatch, evaluated(tmp_path, [FakePolicy()])) == 0


def test_wrong_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def wrong() -> None:
        raise InputError("--trials is 0: ask for 1 or more per task group")

    assert ended(monkeypatch, wrong) == 2
    assert capsys.readouterr().err == "worldgym: --trials is 0: ask for 1 or more per task group\n"


@pytest.mark.parametrize(
    ("trials", "says"),
    [(6, "10 times in a row: RuntimeError: CUDA out of memory"), (2, "every trial failed")],
)
def test_a_policy_that_always_raises(
    trials: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(monkeypatch, evaluated(tmp_path, [Broken(level=1.0)], trials)) == STALLED == 3
    said = capsys.readouterr().err
    assert says in said and "CUDA out of memory" in said and "Traceback" not in said
    assert (tmp_path / "summary.json").exists()


def test_some_trials_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, evaluated(tmp_path, [Broken(), FakePolicy(name="sound")])) == 4
    assert "1 trial failed, 0 not started" in (said := capsys.readouterr().err)
    assert "RuntimeError: CUDA out of memory at " in said and " (1 x)" in said
    # the same run, fixed
    assert ended(monkeypatch, evaluated(tmp_path, [FakePolicy(), FakePolicy(name="sound")])) == 0


def test_some_trials_are_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, evaluated(tmp_path, [FakePolicy()], max_minutes=0.0)) == 75
    assert "not started: 2 trials" in capsys.readouterr().err


def test_a_start_that_did_its_part_of_a_larger_run_is_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What others lack is told, and no reason to give the same command again."""

    def start(name: str, trials: int) -> int:
        return ended(monkeypatch, evaluated(tmp_path, [FakePolicy(name=name)], trials))

    assert start("old", 1) == start("new", 2) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Unfinished run" in said and "1 of 4 planned trials is missing" in said
    assert "old on" in said and "2 planned, 1 done, 0 failed, 1 missing" in said
    assert start("old", 2) == 0
    assert "missing" not in capsys.readouterr().out.replace("0 missing", "")


def test_a_command_of_several_runs_ends_as_they_did(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a search for edits, or a check of a world with policies, does."""
    ended(monkeypatch, evaluated(tmp_path / "whole", [FakePolicy()]))
    ended(monkeypatch, evaluated(tmp_path / "part", [FakePolicy()], max_minutes=0.0))
    ended(monkeypatch, evaluated(tmp_path / "broken", [Broken(level=1.0)]))
    capsys.readouterr()

    def ends(*names: str) -> int:
        return ended(monkeypatch, lambda: end_as([Run(tmp_path / name) for name in names]))

    assert ends("whole", "whole") == 0
    assert ends("whole", "part") == 75
    assert "not started: 2 trials" in capsys.readouterr().err
    assert ends("whole", "part", "broken") == 3
    assert "every trial failed" in capsys.readouterr().err


STOPS = """
import sys
class Stops:
    def find_spec(self, name, *rest):
        if name == "worldgym.cli.catalogue":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stops())
from worldgym.cli import main
"""


def test_an_interrupt_while_modules_load() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPS], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_the_table_names_every_code(repository: Path) -> None:
    text = (repository / "docs" / "conventions.md").read_text()
    table = text[text.index("| exit code |") :].split("\n\n")[0]
    assert re.findall(r"^\| (\d+) \|", table, re.M) == ["0", "1", "2", "3", "4", "75", "130", "141"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there_is_said_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    parts = [word for part in ("world", "tasks", "judge") for word in (f"--{part}", "bundled")]
    parts += ["--policy", "still", "--trials", "1", "--out", str(out)]
    for more in (["--device", "cuda"], ["--policy-device", "cuda:1"]):
        with pytest.raises(SystemExit) as end:
            cli.main(["evaluate", *parts, *more])
        said = capsys.readouterr().err
        assert end.value.code == 2 and not out.exists()
        assert said.startswith(f"worldgym: device {more[1]}: PyTorch sees no CUDA GPU")
        assert said.count("\n") == 1
