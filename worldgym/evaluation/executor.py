"""Where the work of a command is done: in this process, in processes beside it, or on the machines
of a Ray cluster. One driver hands out jobs and gets their results, in any order.

A job is data, and so is its result. Every worker makes what it works with once (`Setup`); what a
job gives does not depend on the worker, nor on the jobs before it. A worker is given its jobs one
after the other, but it may end one of them while it is given the next. A worker that dies is
replaced, and its jobs go to the end of the queue; a job is given up once it is likely that its
workers died of it (`hopeless`).
"""

from __future__ import annotations

import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, overload

from worldgym.errors import InputError, WorkersLost, WorldGymError
from worldgym.io.waiting import awaited

J = TypeVar("J")
R = TypeVar("R")
IN_FLIGHT = 2  # jobs of a worker, the second of which waits for the first, or for most of it
LOSSES = 3  # workers at least that have to die with a job alone in them before it is given up,
MOST_LOSSES = 6  # and at most
CHANCE = 1e-3  # that they all died of something else, at most


# a result that comes later lets the worker begin with its next job
Work = Callable[[J], R | Future[R]]
Setup = Callable[[], Work[J, R]]  # made once in every worker; it can be sent to another process


def result_of(given: R | Future[R]) -> R:
    """What work gave, waited for."""
    return awaited(given) if isinstance(given, Future) else given


class MadeJobs(Sequence[J]):
    """Jobs that are created when they are given to a worker: all of them may not fit into
    memory."""

    def __init__(self, count: int, make: Callable[[int], J]) -> None:
        self._places = range(count)
        self._make = make

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> J: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[J]: ...
    def __getitem__(self, index: int | slice) -> J | Sequence[J]:
        if isinstance(index, slice):
            return [self._make(i) for i in self._places[index]]
        return self._make(self._places[index])


@dataclass(frozen=True)
class Done(Generic[R]):
    """number: of the job.   result: None where it was given up, for `lost`."""

    number: int
    result: R | None
    lost: str = ""


Results: TypeAlias = Generator[Done[R], None, None]


def _ignore(reason: str) -> None:
    pass


@dataclass(frozen=True)
class Watch:
    """lost: is called with the reason each time that jobs are lost with their worker.   goes_on:
    once it is false no job is handed out any more; those in flight are waited for.   ready: is
    called each time that a worker in another process has loaded."""

    lost: Callable[[str], None] = _ignore
    goes_on: Callable[[], bool] = lambda: True
    ready: Callable[[], None] = lambda: None


class Executor(Protocol):
    """Does jobs, and yields each as it ends."""

    def run(self, setup: Setup[J, R], jobs: Sequence[J], watch: Watch) -> Results[R]:
        """Closing it drops what is in flight."""
        ...


@dataclass(frozen=True)
class LocalExecutor:
    """In this process, one after another."""

    def run(self, setup: Setup[J, R], jobs: Sequence[J], watch: Watch) -> Results[R]:
        work = setup()
        for number, job in enumerate(jobs):
            if not watch.goes_on():
                return
            yield Done(number, result_of(work(job)))


def each_result(
    executor: Executor, setup: Setup[J, R], jobs: Sequence[J], watch: Watch = Watch()
) -> Iterator[tuple[int, R]]:
    """(number of the job, its result) as they come, for work of which nothing may be left out:
    WorkersLost where a job is given up."""
    with closing(executor.run(setup, jobs, watch)) as results:
        for done in results:
            if done.result is None:
                raise WorkersLost(
                    f"each worker that did part {done.number + 1} of {len(jobs)} was lost: "
                    f"{done.lost}; check that its machine has enough memory, then give the same "
                    f"command again"
                )
            yield done.number, done.result


@dataclass(frozen=True)
class Event:
    """Of a worker: ready for jobs, `number` is done, or gone with all that it had."""

    worker: int
    kind: str
    """ready, done or gone"""
    number: int = -1
    result: Any = None
    reason: str = ""


def as_sent(error: Exception) -> Exception:
    """An error of a worker as the driver raises it: one that can be sent, and says the same."""
    if isinstance(error, WorldGymError):
        return InputError(str(error))
    return RuntimeError("".join(traceback.format_exception(error)))


class Workers(Protocol):
    """Workers in other processes."""

    def wanted(self) -> int:
        """How many there should be now."""
        ...

    def start(self, worker: int) -> None:
        """Begins to start one."""
        ...

    def submit(self, worker: int, number: int, job: Any) -> None: ...

    def events(self) -> Sequence[Event]:
        """Waits for some, a second at most."""
        ...

    def close(self) -> None:
        """Ends all of them."""
        ...


@dataclass
class Dispatch:
    """Hands jobs out to workers: at most `IN_FLIGHT` a worker; lost ones again, behind the others,
    so that one bad minute does not take the same job several times, and one by one, because with
    two in a worker it is unknown which of them it died of."""

    workers: Workers
    jobs: Sequence[Any]
    watch: Watch
    _flight: dict[int, list[int]] = field(default_factory=dict)  # of ready workers
    _starting: set[int] = field(default_factory=set)
    _lost: Counter[int] = field(default_factory=Counter)  # how often, of jobs that were;
    _alone: Counter[int] = field(default_factory=Counter)  # with no other in the worker
    _deaths: int = 0  # of workers that had jobs
    _done: int = 0
    _begun: int = 0  # workers
    _barren: int = 0  # workers that died in a row before one was ready

    def run(self) -> Iterator[Done[Any]]:
        waiting = deque(range(len(self.jobs)))
        left = len(self.jobs)
        try:
            while left:
                if self.watch.goes_on():
                    self._keep_up(left)
                    self._hand_out(waiting)
                else:
                    left -= len(waiting)
                    waiting.clear()
                    if not left:
                        return
                for event in self.workers.events():
                    for done in self._take(event, waiting):
                        left -= 1
                        yield done
        finally:
            self.workers.close()

    def _keep_up(self, left: int) -> None:
        """Starts workers until there are as many as wanted, and no more than jobs."""
        while len(self._flight) + len(self._starting) < min(self.workers.wanted(), left):
            self._starting.add(self._begun)
            self.workers.start(self._begun)
            self._begun += 1

    def _hand_out(self, waiting: deque[int]) -> None:
        """First one to each worker, then the second; none beside one that was lost before."""
        for most in range(1, IN_FLIGHT + 1):
            for worker, own in self._flight.items():
                if not waiting or len(own) >= most:
                    continue
                if own and (own[0] in self._lost or waiting[0] in self._lost):
                    continue
                number = waiting.popleft()
                own.append(number)
                self.workers.submit(worker, number, self.jobs[number])

    def _take(self, event: Event, waiting: deque[int]) -> Iterator[Done[Any]]:
        if event.kind == "ready":
            self.watch.ready()
            self._starting.discard(event.worker)
            self._flight[event.worker] = []
            self._barren = 0
        elif event.kind == "done":
            if event.number in self._flight.get(event.worker, ()):
                self._flight[event.worker].remove(event.number)
                self._done += 1
                yield Done(event.number, event.result)
        else:
            yield from self._lose(event, waiting)

    def _lose(self, event: Event, waiting: deque[int]) -> Iterator[Done[Any]]:
        lost = self._flight.pop(event.worker, [])
        if event.worker in self._starting:
            self._starting.discard(event.worker)
            self._barren += 1
            # all of a cluster's may be taken away at once while they load
            if self._barren > LOSSES * max(self.workers.wanted(), 1):
                raise WorkersLost(
                    f"no worker starts: {self._barren} were lost one after the other "
                    f"({event.reason}); check the machines, then give the same command again"
                )
        if lost and self.watch.goes_on():
            jobs = "a job was" if len(lost) == 1 else f"{len(lost)} jobs were"
            self.watch.lost(f"{jobs} lost with a worker: {event.reason}")
        self._deaths += bool(lost)
        for number in lost:
            self._lost[number] += 1
            self._alone[number] += len(lost) == 1
            if hopeless(self._alone[number], self._deaths - self._lost[number], self._done):
                yield Done(number, None, event.reason)
            else:
                waiting.append(number)


def hopeless(alone: int, others: int, done: int) -> bool:
    """Whether a job that so many workers died with, alone in them, is given up, where `others` died
    without it and so many jobs are done: after `LOSSES` where workers rarely die, after more where
    they often do."""
    share = (others + 1) / (others + done + 2)  # of other jobs that end so
    return alone >= LOSSES and (share**alone < CHANCE or alone >= MOST_LOSSES)
