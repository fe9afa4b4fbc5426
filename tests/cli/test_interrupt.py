"""Ctrl-C in the middle of a run: at once, with one sentence, and nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from signalled_runs import heed_interrupts

from worldgym.io.run_log import LOG_NAME, read_log

WAITS = """
import sys, time
from pathlib import Path
import numpy as np
from worldgym import cli
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task

class Slow(FakeJudge):
    def __call__(self, rollout, task):
        if task.name == "t/5":
            print("waiting", flush=True)
            time.sleep(120)
        return super().__call__(rollout, task)

def command():
    tasks = [Task(f"t/{i}", "t", np.zeros((16, 24, 3), np.uint8), "do it", 3) for i in range(8)]
    config = EvaluateConfig(Path(sys.argv[1]), 8, batch=3)
    evaluate_parts(config, FakeWorld(), [FakePolicy()], tasks, Slow(concurrency=4))

cli.parsed = lambda words: command
cli.main([])
"""


def test_it_stops_at_once_though_a_judge_is_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WAITS, str(tmp_path)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert process.stdout is not None and process.stdout.readline() == "waiting\n"
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 130 and time.monotonic() - asked < 100
    assert said.endswith(
        "worldgym: stopped; finished work is kept, and the same command continues from there\n"
    )
    assert "Traceback" not in said
    _, records = read_log(tmp_path / LOG_NAME)
    done = [record.task for record in records]
    assert len(done) >= 3 and done == [
        f"t/{i}" for i in range(len(done))
    ]  # the first batch, and no half line


LOADS = """
import time
from worldgym import cli

def command():
    print("waiting", flush=True)
    time.sleep(120)

cli.parsed = lambda words: command
cli.main([])
"""


def test_sigterm_while_nothing_is_rolled_out_says_give_it_again() -> None:
    """While parts are loaded, results are written or sent away."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOADS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "waiting\n"
    process.terminate()
    _, said = process.communicate(timeout=100)
    assert process.returncode == 75
    assert said.startswith("worldgym: stopped by SIGTERM; finished work is kept")
