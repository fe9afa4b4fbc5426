"""Jobs in processes of this machine."""

from __future__ import annotations

import atexit
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from worldgym.errors import at_least
from worldgym.evaluation.executor import (
    Dispatch,
    Event,
    Results,
    Setup,
    Watch,
    as_sent,
    result_of,
)
from worldgym.io.child_processes import end_with_parent, leave_signals_to_parent, started_deaf

J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True)
class ProcessExecutor:
    """count: of processes; 0 = one per core."""

    count: int = 0

    def __post_init__(self) -> None:
        at_least("the number of processes", self.count)

    def run(self, setup: Setup[J, R], jobs: Sequence[J], watch: Watch) -> Results[R]:
        if jobs:
            workers = _Processes(setup, self.count or multiprocessing.cpu_count())
            yield from Dispatch(workers, jobs, watch).run()


class _Processes:
    def __init__(self, setup: Setup[Any, Any], count: int) -> None:
        self._setup = setup
        self._count = count
        self._context = multiprocessing.get_context("spawn")
        self._alive: dict[int, tuple[BaseProcess, Connection]] = {}
        # Python itself would end them by SIGTERM, which they ignore, and wait
        atexit.register(self.close)

    def wanted(self) -> int:
        return self._count

    def start(self, worker: int) -> None:
        mine, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(self._setup, theirs), name=f"worker {worker}", daemon=True
        )
        with _threads(max(multiprocessing.cpu_count() // self._count, 1)), started_deaf():
            process.start()
        theirs.close()
        self._alive[worker] = process, mine

    def submit(self, worker: int, number: int, job: Any) -> None:
        with suppress(OSError):  # it is gone, which `events` tells
            self._alive[worker][1].send((number, job))

    def events(self) -> Sequence[Event]:
        by_pipe = {pipe: worker for worker, (_, pipe) in self._alive.items()}
        pipes = list(by_pipe)
        return [self._event(by_pipe[pipe]) for pipe in wait(pipes, 1.0)]  # type: ignore[index]

    def _event(self, worker: int) -> Event:
        process, pipe = self._alive[worker]
        try:
            told = pipe.recv()
        except (EOFError, OSError):
            process.join()
            del self._alive[worker]
            return Event(worker, "gone", reason=_ending(process.exitcode))
        if isinstance(told, BaseException):
            raise told
        return Event(worker, "ready") if told is None else Event(worker, "done", *told)

    def close(self) -> None:
        for process, pipe in self._alive.values():
            process.kill()
            process.join()
            pipe.close()
        self._alive.clear()
        atexit.unregister(self.close)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """A process that is started meanwhile computes on so many threads, or as many as the user has
    set: with one per core in each process they would wait for each other."""
    if "OMP_NUM_THREADS" in os.environ:
        yield
        return
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]


def _ending(code: int | None) -> str:
    return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _received(pipe: Connection) -> Iterator[tuple[int, Any]]:
    """Jobs as they come, until there is no driver any more. They are read while the one before is
    worked on: a driver that cannot get rid of a large job takes no result, and a worker that cannot
    get rid of a large result would not ask for the job."""
    jobs = SimpleQueue[tuple[int, Any] | Exception]()

    def read() -> None:
        try:
            while True:
                jobs.put(pipe.recv())
        except Exception as error:  # no driver, or a job that cannot be read here
            jobs.put(error)

    Thread(target=read, daemon=True).start()
    while not isinstance(job := jobs.get(), Exception):
        yield job
    raise job


def _serve(setup: Setup[Any, Any], pipe: Connection) -> None:
    """The life of a worker, until its driver ends. An error of a job is the driver's."""
    sending = Lock()

    def send(told: object) -> None:
        with sending, suppress(OSError):  # there may be no driver any more
            pipe.send(told)

    def answer(number: int, given: Any) -> None:
        try:
            send((number, result_of(given)))
        except Exception as error:
            send(as_sent(error))

    leave_signals_to_parent()
    end_with_parent()
    try:
        work = setup()
        send(None)
        for number, job in _received(pipe):
            given = work(job)
            if isinstance(given, Future):
                given.add_done_callback(partial(answer, number))
            else:
                answer(number, given)
    except Exception as error:
        send(as_sent(error))
