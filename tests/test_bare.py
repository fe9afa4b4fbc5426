"""A container with nothing but Python: no git, no compiler, no home folder, no name for its user,
no UTF-8 in its environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMELESS = """
import os, pwd

def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

pwd.getpwuid = unknown
"""
EVALUATION = r"""
import sys
from pathlib import Path
import numpy as np
from worldgym import cli
from worldgym.cli.output import show_ran
from worldgym.api import evaluate
from worldgym.evaluation.provenance import environment
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task

def command():
    frame, wording = np.zeros((16, 24, 3), np.uint8), "open the drawer \N{PINCHING HAND}"
    tasks = [Task(f"t/{i}", "t", frame, wording, 3) for i in range(2)]
    out = Path(sys.argv[1])
    run = evaluate(FakeWorld(), FakePolicy(), tasks, FakeJudge(), out=out, trials=2)
    show_ran(run, False)

assert environment("cpu")["commit"] is None
cli.parsed = lambda words: command
cli.main([])
"""


def bare(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs it in such a container, as far as a child process can be one."""
    environment = {
        "PATH": "",
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    command = [sys.executable, "-c", NAMELESS + program, *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_an_evaluation_runs_and_its_report_is_written(tmp_path: Path) -> None:
    done = bare(EVALUATION, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "report:" in done.stdout
    assert json.loads((tmp_path / "summary.json").read_text())["policies"][0]["trials"] == 2


@pytest.mark.slow
def test_the_demo_of_such_a_container(tmp_path: Path) -> None:
    done = bare(
        "from worldgym.cli import main; main()", "demo", "--trials", "1", "--out", str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists()
