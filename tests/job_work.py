"""Work for executors. Imports next to nothing, so that workers start quickly."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from worldgym.errors import InputError


def squares(deadly: tuple[int, ...] = (), once: Path | None = None) -> Callable[[int], int]:
    """Kills its process at some jobs; with `once`, only the first time."""

    def work(job: int) -> int:
        if job in deadly and (once is None or not (once / str(job)).exists()):
            if once is not None:
                (once / str(job)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return job * job

    return work


def broken() -> Callable[[int], int]:
    raise InputError("no such world; name another")


def misled() -> Callable[[int], int]:
    def work(job: int) -> int:
        raise InputError("the file x is broken; restore it")

    return work


def child_ended() -> Callable[[int], int]:
    """How a program ends that is told to."""

    def work(job: int) -> int:
        child = subprocess.Popen(["sleep", "60"])
        child.terminate()
        return child.wait(30)

    return work


def slow_squares(pids: Path, seconds: float = 0.3) -> Callable[[int], int]:
    """Leaves the number of its process in a folder."""
    (pids / str(os.getpid())).touch()

    def work(job: int) -> int:
        time.sleep(seconds)
        return job * job

    return work


def stillborn(place: Path, deaths: int) -> Callable[[int], int]:
    """Kills its process as it starts, so many times in all."""
    for i in range(deaths):
        try:
            (place / str(i)).touch(exist_ok=False)
        except FileExistsError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)
    return lambda job: job
