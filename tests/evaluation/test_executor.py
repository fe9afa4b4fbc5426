"""Work done elsewhere is the work of one process, whoever dies on the way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from job_work import (
    Unreadable,
    broken,
    child_ended,
    finished_beside,
    large,
    squares,
    squares_later,
    stillborn,
)
from small_runs import contents, evaluated

from worldgym.errors import InputError, WorkersLost
from worldgym.evaluation.executor import (
    LOSSES,
    MOST_LOSSES,
    Dispatch,
    Done,
    Event,
    Executor,
    LocalExecutor,
    Watch,
    hopeless,
)
from worldgym.evaluation.executor_names import executor_named
from worldgym.evaluation.process_workers import ProcessExecutor
from worldgym.evaluation.ray_workers import RayExecutor
from worldgym.io.run_files import LOST_NAME
from worldgym.io.run_log import read_log
from worldgym.testing import FakePolicy


def done(
    executor: Executor, setup: Callable[[], Callable[[int], int]], jobs: int
) -> list[Done[int]]:
    found = list(executor.run(setup, range(jobs), Watch()))
    return sorted(found, key=lambda one: one.number)


def test_every_job_is_done_once() -> None:
    expected = [Done(i, i * i) for i in range(7)]
    assert done(LocalExecutor(), squares, 7) == expected
    said: list[bool] = []
    watch = Watch(ready=lambda: said.append(True))  # each time that a worker has loaded
    found = ProcessExecutor(2).run(squares, range(7), watch)
    assert sorted(found, key=lambda one: one.number) == expected and 1 <= len(said) <= 2
    assert list(ProcessExecutor(2).run(squares, [], Watch())) == []


def test_jobs_of_a_worker_that_dies_are_done_by_another(tmp_path: Path) -> None:
    told: list[str] = []
    setup = partial(squares, (3, 5), tmp_path)
    found = list(ProcessExecutor(2).run(setup, range(8), Watch(told.append)))
    assert sorted(one.number for one in found) == list(range(8))
    assert {one.number: one.result for one in found} == {i: i * i for i in range(8)}
    assert told and all("killed by signal 9" in reason for reason in told)


@pytest.mark.parametrize("squared", [squares, squares_later])
def test_a_job_that_kills_every_worker_is_given_up(squared: Any) -> None:
    """And no other, though another waits or has begun in the same worker: it is blamed only for
    workers that died while it was alone in them."""
    told: list[str] = []
    found = list(ProcessExecutor(2).run(partial(squared, (2,)), range(5), Watch(told.append)))
    (lost,) = [one for one in found if one.lost]
    assert lost.number == 2 and lost.result is None
    assert LOSSES <= len(told) <= LOSSES + 2
    assert sorted(one.result for one in found if not one.lost) == [0, 1, 9, 16]


@pytest.mark.parametrize(
    ("others", "done", "deaths"),
    [(0, 100, LOSSES), (20, 100, 4), (20, 60, MOST_LOSSES), (40, 20, MOST_LOSSES), (0, 4, 4)],
)
def test_a_job_is_blamed_sooner_where_workers_rarely_die(
    others: int, done: int, deaths: int
) -> None:
    assert next(n for n in range(20) if hopeless(n, others, done)) == deaths


def test_losses_that_hit_all_jobs_alike_give_up_none() -> None:
    """Workers die at every third job, whichever it is."""
    workers = Flaky()
    found = list(Dispatch(workers, range(60), Watch()).run())
    assert sorted(one.number for one in found) == list(range(60))
    assert not [one for one in found if one.lost] and workers.deaths > 20


class Flaky:
    """Two workers that die at every third job; their jobs last no time."""

    def __init__(self) -> None:
        self.deaths = 0
        self._count = 0
        self._told: list[Event] = []

    def wanted(self) -> int:
        return 2

    def start(self, worker: int) -> None:
        self._told.append(Event(worker, "ready"))

    def submit(self, worker: int, number: int, job: int) -> None:
        self._count += 1
        dies = self._count % 3 == 0
        self.deaths += dies
        self._told.append(Event(worker, "gone" if dies else "done", number))

    def events(self) -> list[Event]:
        told, self._told = self._told, []
        return told

    def close(self) -> None:
        pass


def test_a_job_begins_while_the_one_before_is_finished() -> None:
    expected = [Done(i, i * i) for i in range(7)]
    assert done(ProcessExecutor(1), partial(finished_beside, 6), 7) == expected


def test_an_error_of_a_worker_is_the_drivers() -> None:
    with pytest.raises(InputError, match="no room on the disk"):
        done(ProcessExecutor(1), partial(finished_beside, 6, 3), 7)
    with pytest.raises(InputError, match="no such world"):
        done(ProcessExecutor(2), broken, 3)


def test_workers_that_die_as_they_start_are_replaced_until_it_is_hopeless(tmp_path: Path) -> None:
    for deaths in (5, 100):
        place = tmp_path / str(deaths)
        place.mkdir()
        setup = partial(stillborn, place, deaths)
        if deaths == 5:  # more than LOSSES, as where all workers of a cluster are taken at once
            assert done(ProcessExecutor(2), setup, 3) == [Done(i, i) for i in range(3)]
        else:
            with pytest.raises(WorkersLost, match="no worker starts: 7 were lost"):
                done(ProcessExecutor(2), setup, 3)


ABANDONED = """
import sys
from functools import partial
from pathlib import Path
from job_work import slow_squares
from worldgym.evaluation.executor import Watch
from worldgym.evaluation.process_workers import ProcessExecutor

if __name__ == "__main__":
    setup = partial(slow_squares, Path(sys.argv[1]), float(sys.argv[2]))
    done = ProcessExecutor(2).run(setup, range(100), Watch())
    print(next(done).number, flush=True)
    if sys.argv[3] == "raise":
        raise SystemExit(5)  # the iterator is left open
    sys.stdin.read()
"""


def alive(pids: Path) -> list[int]:
    return [int(p.name) for p in pids.iterdir() if Path("/proc", p.name, "cmdline").exists()]


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
@pytest.mark.parametrize(("end", "code"), [("raise", 5), ("wait", -signal.SIGKILL)])
def test_no_worker_outlives_its_driver(end: str, code: int, tmp_path: Path) -> None:
    """Though workers hear no SIGTERM: at Python's exit, and where the driver is killed while they
    are at a long job."""
    pids = tmp_path / "pids"
    pids.mkdir()
    script = tmp_path / "abandoned.py"
    script.write_text(ABANDONED)
    words = [sys.executable, str(script), str(pids), "0.1" if end == "raise" else "0.5", end]
    paths = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    driver = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    assert driver.stdout is not None and driver.stdout.readline().strip().isdecimal()
    if end == "wait":
        driver.kill()
    assert driver.wait(60) == code
    driver.communicate()
    until = time.monotonic() + 20
    while alive(pids):
        assert time.monotonic() < until, f"workers outlived their driver: {alive(pids)}"
        time.sleep(0.1)


def test_programs_that_a_worker_starts_can_be_ended(tmp_path: Path) -> None:
    assert done(ProcessExecutor(1), child_ended, 1) == [Done(0, -signal.SIGTERM)]


def test_what_is_begun_is_finished() -> None:
    found: list[int] = []
    watch = Watch(goes_on=lambda: len(found) < 3)
    for one in ProcessExecutor(1).run(squares, range(50), watch):
        found.append(one.number)
    assert 3 <= len(found) <= 5 and found == list(range(len(found)))


def test_words_for_executors() -> None:
    assert executor_named("local") == LocalExecutor()
    assert executor_named("processes", 3) == ProcessExecutor(3)
    assert executor_named("ray") == RayExecutor(None)
    assert executor_named("ray://head:10001", 2, 0.5) == RayExecutor(
        "ray://head:10001", 2, gpus=0.5
    )
    assert executor_named("ray:auto") == RayExecutor("auto")
    with pytest.raises(InputError, match="give local, processes, ray"):
        executor_named("slurm")


class DeadlyPolicy(FakePolicy):
    """Kills the process that it is in, once."""

    def __init__(self, once: Path) -> None:
        super().__init__(level=0.9, name="high")
        self._once = once

    def act(self, memories, observations):  # type: ignore[no-untyped-def]
        if not self._once.exists():
            self._once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().act(memories, observations)


def test_a_run_by_workers_is_the_run_of_one_process(tmp_path: Path) -> None:
    once = tmp_path / "once"
    once.touch()
    evaluated(tmp_path / "local", DeadlyPolicy(once))
    once.unlink()
    evaluated(tmp_path / "workers", DeadlyPolicy(once), on="processes", workers=2)
    (mine, here), (theirs, there) = (
        read_log(tmp_path / name / "log.jsonl") for name in ("local", "workers")
    )
    assert mine.difference(theirs) is None
    assert {r.key: r for r in here} == {r.key: r for r in there} and len(here) == len(there) == 16
    assert contents(tmp_path / "local") == contents(tmp_path / "workers")
    assert "killed by signal 9" in (tmp_path / "workers" / LOST_NAME).read_text()
    page = (tmp_path / "workers" / "report.html").read_text()
    assert re.search(r"<td>losses of workers</td><td>(a job was|2 jobs were) lost with", page)
    assert not (tmp_path / "local" / LOST_NAME).exists()


def test_a_job_that_a_worker_cannot_read_is_an_error() -> None:
    with pytest.raises(InputError, match="no such module"):
        list(ProcessExecutor(1).run(squares, [Unreadable()], Watch()))  # type: ignore[list-item]


def test_fewer_processes_than_none_are_refused() -> None:
    with pytest.raises(InputError, match="number of processes is -1"):
        ProcessExecutor(-1)


def test_jobs_and_results_may_be_larger_than_a_pipe() -> None:
    """A driver that gives a worker its second job while that one gives its first result."""
    size = 2**21
    jobs = [bytes([i]) * size for i in range(3)]
    found = list(ProcessExecutor(1).run(partial(large, size), jobs, Watch()))
    assert {one.number: one.result for one in found} == {
        i: job + bytes(size) for i, job in enumerate(jobs)
    }
