"""What the machinery of many workers costs, part by part.

python benchmarks/ray_scaling.py scale [--workers 1 4 16 64]      # jobs that sleep, on actors
python benchmarks/ray_scaling.py driver [--trials 20000]          # a worker of no work
python benchmarks/ray_scaling.py memory [--trials 10000 1000000]  # of the driver alone
python benchmarks/ray_scaling.py overhead                         # Ray against the local engine
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any
from unittest.mock import patch

import torch
from machine import note
from sleeping_world import cluster_here, tasks

from worldgym.evaluation import run as run_module
from worldgym.evaluation.executor import Done, Executor, Results, Setup, Watch
from worldgym.evaluation.load_parts import Sources
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.ray_workers import RayExecutor
from worldgym.evaluation.remote_batches import BatchJob, BatchResult
from worldgym.evaluation.run import evaluate_parts, run_sources
from worldgym.evaluation.trials import plan_trials
from worldgym.io.bundled import bundled
from worldgym.io.run_files import actions_beside
from worldgym.io.run_log import LOG_NAME
from worldgym.io.run_records import TrialRecord
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Trial

SLEEP = 2.0  # seconds of a batch
EACH = 20  # batches of a worker
BATCH = 5  # trials, of overhead
POLICIES, FRAMES = 20, 100  # where trials are many
VIDEO, ACTIONS = bytes(20_000), bytes(1_500)  # as large as those of the bundled world


def processor_seconds() -> float:
    """That this process and all that it has begun, directly or not, have taken so far."""
    ticks: dict[int, int] = {}
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just gone
            words = (place / "stat").read_text().rpartition(")")[2].split()
            parents[int(place.name)] = int(words[1])
            ticks[int(place.name)] = int(words[11]) + int(words[12])
    own = {os.getpid()}
    while more := {p for p, parent in parents.items() if parent in own} - own:
        own |= more
    return sum(ticks[p] for p in own) / os.sysconf("SC_CLK_TCK")


@dataclass
class Lines:
    """Watches a log grow, from another thread: (seconds, finished lines, processor seconds)."""

    run: Path
    every: float = 0.05
    seen: list[tuple[float, int, float]] = field(default_factory=list)

    def __enter__(self) -> Lines:
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _look(self) -> None:
        count = -1  # the header
        place = 0
        while not self._ends.wait(self.every):
            path = self.run / LOG_NAME
            if not path.exists():
                continue
            with path.open("rb") as file:
                file.seek(place)
                new = file.read()
            place += len(new)
            count += new.count(b"\n")
            if new:
                self.seen.append((time.perf_counter(), count, processor_seconds()))

    def cost(self, first: int, last: int) -> tuple[float, float]:
        """Seconds and processor seconds per line between the times at which there were so many.
        Lines come in bursts, one a batch, so both have to be the last of a batch."""
        (began, _, little), (ended, _, much) = (
            next(one for one in self.seen if one[1] >= count) for count in (first, last)
        )
        return (ended - began) / (last - first), (much - little) / (last - first)


Slept = tuple[int, float, bytes]  # process, when it began, and as much as two files are


def sleeper() -> Callable[[int], Slept]:
    """Needs no torch, so that 64 of them start in time on few cores."""

    def work(job: int) -> Slept:
        began = time.time()
        time.sleep(SLEEP)
        return os.getpid(), began, bytes(len(VIDEO) + len(ACTIONS))

    return work


def scale(workers: int) -> tuple[float, float]:
    """=> share of the time between its first and last job that a worker sleeps, over all workers;
    and seconds until the last of them began."""
    started = time.time()
    begun = defaultdict[int, list[float]](list)
    jobs = range(workers * EACH)
    for done in RayExecutor(None, workers).run(sleeper, jobs, Watch()):
        assert done.result is not None
        begun[done.result[0]].append(done.result[1])
    if len(begun) < workers:
        raise SystemExit(f"{len(begun)} of {workers} workers had work: raise EACH")
    kept = [own for own in begun.values() if len(own) > 1]  # who came last may have had one
    jobs_between = sum(len(own) - 1 for own in kept)
    seconds = sum(max(own) - min(own) for own in kept)
    return jobs_between * SLEEP / seconds, max(map(min, begun.values())) - started


class Instant:
    """A worker that answers at once, as if a batch had been rolled out."""

    def __init__(self, trials: int, files: bool) -> None:
        self._trials: list[Trial] = plan_trials(tasks(FRAMES), trials // POLICIES, 0)
        self._files = files

    def __call__(self, job: BatchJob) -> BatchResult:
        records = tuple(_record(job.policy, self._trials[i]) for i in job.trials)
        files = {str(r.video): VIDEO for r in records}
        files |= {str(r.actions_file): ACTIONS for r in records}
        return BatchResult(records, files if self._files else {})


def _record(policy: str, trial: Trial) -> TrialRecord:
    task = trial.task
    video = f"videos/{policy}/{task.name}-{trial.repeat}.mp4"
    assert actions_beside(video)
    return TrialRecord(
        policy,
        task.name,
        task.group,
        task.instruction,
        trial.repeat,
        trial.seed,
        score=1.0,
        judge="fake-judge",
        steps=4,
        video=video,
        seconds=1.0,
        timing={"world": 0.5, "decode": 0.1, "policy": 0.3, "judge": 0.01},
        time="2026-11-29T00:00:00+00:00",
    )


@dataclass(frozen=True)
class InstantExecutor:
    """workers: None = in this process."""

    trials: int
    files: bool
    workers: Executor | None = None

    def run(self, setup: Setup[Any, Any], jobs: Sequence[Any], watch: Watch) -> Results[Any]:
        instant: Callable[[], Instant] = partial(Instant, self.trials, self.files)
        if self.workers is not None:
            yield from self.workers.run(instant, jobs, watch)
            return
        work = instant()
        for number in range(len(jobs)):
            yield Done(number, work(jobs[number]))


def drive(executor: InstantExecutor, out: Path) -> tuple[Lines, float]:
    """The driver alone, without the report at its end => and MB of memory then."""
    held: list[float] = []
    config = EvaluateConfig(out, executor.trials // POLICIES, batch=32, on="processes")
    with (
        patch.object(run_module, "executor_named", lambda *_: executor),
        patch.object(run_module, "write_results", lambda *_: held.append(resident())),
        Lines(out, 0.2) as lines,
    ):
        policies = [FakePolicy(level=0.8, name=f"policy-{i:02d}") for i in range(POLICIES)]
        evaluate_parts(config, FakeWorld(), policies, tasks(FRAMES), FakeJudge())
        time.sleep(0.5)
    return lines, held[0]


def driver(trials: int, folder: Path) -> float:
    """=> trials per second, their videos and actions written."""
    lines, _ = drive(InstantExecutor(trials, True, RayExecutor(None, 1)), folder / "driver")
    return 1 / lines.cost(lines.seen[0][1], trials)[0]


def resident() -> float:
    """MB of this process."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def overhead(on: str, folder: Path, trials: int) -> tuple[float, float]:
    """=> seconds and processor seconds, those of Ray's own processes too, per trial of the bundled
    world by one worker of one thread, from the end of the first 40 % of the batches until the end
    of the last but one: Ray's own processes are busy for half a minute when a cluster begins, and
    at the end they go, and their count of processor seconds with them."""
    policy = str(bundled("bundled", "policies") / "bc-large")
    sources = Sources("bundled", (policy,), "bundled", "bundled")
    config = EvaluateConfig(folder, trials, batch=BATCH, on=on, workers=1)
    with Lines(config.out) as lines:
        run_sources(sources, config)
    batches = lines.seen[-1][1] // BATCH
    return lines.cost(round(0.4 * batches) * BATCH, (batches - 1) * BATCH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("part", choices=("scale", "driver", "memory", "overhead"))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--trials", type=int, nargs="+")
    parser.add_argument("--rounds", type=int, default=4, help="of overhead")
    parser.add_argument("--cores", type=int, default=2, help="that overhead may use")
    asked = parser.parse_args()
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parent))
    with tempfile.TemporaryDirectory() as name:
        note(f"Many workers: `python {' '.join(sys.argv)}`", _lines(asked, Path(name)))


def _lines(asked: argparse.Namespace, folder: Path) -> list[str]:
    if asked.part == "scale":
        return _scale_lines(asked.workers)
    if asked.part == "memory":
        return _memory_lines(asked.trials or [10_000, 1_000_000], folder)
    if asked.part == "driver":
        rate = driver((asked.trials or [20_000])[0], folder)
        size = len(VIDEO) + len(ACTIONS)
        return [f"{rate:.0f} trials per second in batches of 32, each with {size} bytes of files."]
    os.sched_setaffinity(0, set(range(asked.cores)))
    torch.set_num_threads(1)  # as a worker of one core has
    # or else other programs go before Ray's worker, and not before the local engine
    os.environ |= {"RAY_worker_niceness": "0"}
    return _overhead_lines((asked.trials or [10])[0], asked.rounds, asked.cores, folder)


def _overhead_lines(trials: int, rounds: int, cores: int, folder: Path) -> list[str]:
    """Ray between two local runs each time: the machine is not equally fast all the time, and the
    mean of the run before and the one after is what Ray is compared with."""
    costs = []
    for i in range(2 * rounds + 1):
        costs.append(overhead("ray" if i % 2 else "local", folder / str(i), trials))
        print(f"{i}: {costs[-1][0]:.3f} s, {costs[-1][1]:.3f}", file=sys.stderr, flush=True)
    rows = []
    ratios = []
    for before, ray, after in zip(costs[:-2:2], costs[1::2], costs[2::2], strict=True):
        local = [mean(pair) for pair in zip(before, after, strict=True)]
        ratios.append([r / own for r, own in zip(ray, local, strict=True)])
        cells = (f"{x:.3f}" for pair in zip(local, ray, ratios[-1], strict=True) for x in pair)
        rows.append(f"| {' | '.join(cells)} |")
    wall, used = (median(column) for column in zip(*ratios, strict=True))
    return [
        f"One worker of one thread; the programs may use {cores} cores. Local: the mean of the run "
        f"before and the run after. Processor seconds are those of all processes, Ray's own too.",
        "",
        "| local, s per trial | Ray | ratio | local, processor s per trial | Ray | ratio |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        f"Median ratios: {wall:.3f} by the clock, {used:.3f} by processor time.",
    ]


def at(address: str) -> AbstractContextManager[object]:
    """For `--on ray`."""
    return patch.dict(os.environ, RAY_ADDRESS=address)


def _scale_lines(asked: Sequence[int]) -> list[str]:
    rows = ["| workers | efficiency | all at work after, s |", "| --- | --- | --- |"]
    for workers in asked:
        with cluster_here([workers]) as cluster, at(cluster.address):
            busy, began = scale(workers)
        rows.append(f"| {workers} | {busy:.1%} | {began:.0f} |")
        print(rows[-1], file=sys.stderr, flush=True)
    return [
        f"Jobs sleep {SLEEP:g} s. Efficiency: the share of a worker's time in which it sleeps.",
        "",
        *rows,
    ]


def _memory_lines(asked: Sequence[int], folder: Path) -> list[str]:
    rows = ["| trials | driver, MB | trials per second |", "| --- | --- | --- |"]
    for trials in asked:
        began = time.perf_counter()
        _, held = drive(InstantExecutor(trials, False), folder / f"memory-{trials}")
        rows.append(f"| {trials} | {held:.0f} | {trials / (time.perf_counter() - began):.0f} |")
    return rows


if __name__ == "__main__":
    main()
