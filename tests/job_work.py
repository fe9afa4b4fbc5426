"""Work for executors. Imports next to nothing, so that workers start quickly."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

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


def finished_beside(last: int, wrong: int = -1) -> Callable[[int], Future[int]]:
    """Ends a job only after the next has begun, except the last one. One has an error there."""
    begun: defaultdict[int, Event] = defaultdict(Event)
    pool = ThreadPoolExecutor(1)

    def finish(job: int) -> int:
        if job != last and not begun[job + 1].wait(30):
            raise RuntimeError("nothing was begun beside it")
        if job == wrong:
            raise InputError("no room on the disk; make some")
        return job * job

    def work(job: int) -> Future[int]:
        begun[job].set()
        return pool.submit(finish, job)

    return work


def squares_later(deadly: tuple[int, ...]) -> Callable[[int], Future[int]]:
    """Kills its process at the end of a job, when the next one, if any, has begun."""
    pool = ThreadPoolExecutor(1)
    ends = squares(deadly)

    def finish(job: int) -> int:
        time.sleep(0.2)
        return ends(job)

    return lambda job: pool.submit(finish, job)


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


def large(size: int) -> Callable[[bytes], bytes]:
    """As much as no pipe holds, both ways."""
    return lambda job: job + bytes(size)


@dataclass
class Unreadable:
    """A job that cannot be read where it is sent to."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return _broken_there, ("no such module",)


def _broken_there(reason: str) -> object:
    raise InputError(reason)
