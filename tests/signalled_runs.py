"""A run in a process group of its own, all of which gets a signal while it is under way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldgym import cli
from worldgym.api import evaluate
from worldgym.cli.output import show_ran
from worldgym.io.run_log import LOG_NAME
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task

PLANNED = 40
PATIENCE = 120.0  # seconds


class SlowPolicy(FakePolicy):
    def act(self, states, observations):  # type: ignore[no-untyped-def]
        time.sleep(0.4)
        return super().act(states, observations)


@dataclass(frozen=True)
class Signalled:
    """code: of the process.   before, after: finished trials when the signal came, and at the
    end."""

    code: int
    before: int
    after: int
    planned: int
    said: str


def heed_interrupts() -> None:
    """For a child: a shell that starts the tests in the background lets them ignore Ctrl-C, and
    children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def signalled(out: Path, on: str, number: signal.Signals) -> Signalled:
    command = [sys.executable, __file__, str(out), on]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    until = time.monotonic() + PATIENCE
    while (before := _finished(out)) < 2:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=PATIENCE)
    return Signalled(process.returncode, before, _finished(out), PLANNED, said)


def _finished(out: Path) -> int:
    log = out / LOG_NAME
    return log.read_text().count('"type": "trial"') if log.exists() else 0


def command() -> None:
    """sys.argv: the run's folder, and where its batches are computed."""
    grey = np.zeros((16, 24, 3), np.uint8)
    tasks = [Task(f"t/{i}", "t", grey, "do it", 4) for i in range(PLANNED)]
    out, on = Path(sys.argv[1]), sys.argv[2]
    run = evaluate(
        FakeWorld(),
        [SlowPolicy()],
        tasks,
        FakeJudge(),
        out=out,
        trials=PLANNED,
        batch=2,
        on=on,
        workers=1,
    )
    show_ran(run, False)


if __name__ == "__main__":
    cli.parsed = lambda words: command
    cli.main([])
