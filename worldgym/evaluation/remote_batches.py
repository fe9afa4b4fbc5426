"""Batches of trials done by workers: what a worker gets, and what comes back to the driver, which
alone writes into the run's folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from worldgym.errors import BudgetSpent, InputError, SameFailure
from worldgym.evaluation.batch_finisher import BatchFinisher
from worldgym.evaluation.batch_records import OpenRun, failed_record, truth_video
from worldgym.evaluation.executor import Done, Setup
from worldgym.evaluation.plan import EvaluationPlan
from worldgym.evaluation.provenance import now
from worldgym.io.attempts import TrialKey, trial_key
from worldgym.io.jsonl import append_line
from worldgym.io.run_files import LOST_NAME, HeldFiles
from worldgym.io.run_log import ATTEMPTS
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.judges.judging import Bench
from worldgym.stats.repeated_failures import RepeatedFailures


@dataclass(frozen=True)
class BatchJob:
    """policy: its name.   trials: places in the plan.   tried: attempts before."""

    policy: str
    trials: tuple[int, ...]
    tried: Mapping[TrialKey, int]


@dataclass(frozen=True)
class BatchResult:
    """The lines of a batch, with the files that they name.   stop: for what reason the run ends."""

    records: tuple[TrialRecord, ...]
    files: Mapping[str, bytes]
    stop: SameFailure | BudgetSpent | None = None


class WorkerLog:
    """Of attempts, as far as a worker must know them."""

    def __init__(self, tried: Mapping[TrialKey, int]) -> None:
        self._before = dict(tried)
        self._now = dict(tried)

    def append(self, *records: TrialRecord) -> None:
        for record in records:
            self._now[record.key] = self._now.get(record.key, 0) + 1

    def attempts(self, policy: str, task: str, repeat: int) -> int:
        return self._now.get((policy, task, repeat), 0)

    def tried(self, policy: str, task: str, repeat: int) -> bool:
        key = policy, task, repeat
        return self._now.get(key, 0) > self._before.get(key, 0)

    def last_attempt(self, policy: str, task: str, repeat: int) -> int:
        return self._before.get((policy, task, repeat), 0) + ATTEMPTS


class BatchWorker:
    """Holds world, policies and judge. As in a run of one process, a batch is finished while the
    next is rolled out."""

    def __init__(
        self,
        load: Callable[[], EvaluationPlan],
        header: RunHeader,
        starts: Mapping[str, tuple[str, ...]],
        may_differ: Sequence[str],
    ) -> None:
        """InputError where this machine makes another run of what it loads."""
        self._plan = load()
        self._starts = starts
        self._repeated = RepeatedFailures()
        if difference := header.difference(self._plan.header, may_differ):
            raise InputError(
                f"a worker's files differ from the driver's: {difference}; give all machines the "
                f"same files and versions"
            )
        self._finisher = BatchFinisher(self._plan, _collected)

    def __call__(self, job: BatchJob) -> Future[BatchResult]:
        # the driver has the folders that the command names; here they may not be
        plan = replace(self._plan, config=replace(self._plan.config, truth=None))
        bench = Bench(plan.judge, self._repeated)
        run = OpenRun(plan, bench, WorkerLog(job.tried), self._starts, {}, HeldFiles())
        (policy,) = (policy for policy in plan.policies if policy.name == job.policy)
        return self._finisher.roll_out(run, policy, [plan.trials[i] for i in job.trials])


def _collected(run: OpenRun, records: Iterator[TrialRecord]) -> BatchResult:
    taken: list[TrialRecord] = []
    stop = None
    try:
        for record in records:
            run.log.append(record)
            taken.append(record)
    except (SameFailure, BudgetSpent) as error:
        stop = error
    assert isinstance(run.files, HeldFiles)
    return BatchResult(tuple(taken), run.files.held, stop)


def remote_setup(run: OpenRun, load: Callable[[], EvaluationPlan]) -> Setup[BatchJob, BatchResult]:
    """What makes a worker of this run."""
    return partial(BatchWorker, load, run.plan.header, run.starts, ())


def batch_job(run: OpenRun, policy: str, batch: Sequence[int]) -> BatchJob:
    keys = [trial_key(policy, run.plan.trials[i]) for i in batch]
    tried = {key: count for key in keys if (count := run.log.attempts(*key))}
    return BatchJob(policy, tuple(batch), tried)


def new_files(run: OpenRun, done: Done[BatchResult]) -> dict[str, bytes]:
    """What a batch adds to the run's folder."""
    if done.result is None:
        return {}
    return {
        name: data
        for name, data in done.result.files.items()
        if not name.startswith("frames/") or name not in run.files
    }


def lines_of(run: OpenRun, job: BatchJob, done: Done[BatchResult]) -> list[TrialRecord]:
    """The lines of a batch. One that was given up has failed."""
    if done.result is None:
        reason = given_up(done.lost)
        return [failed_record(run, job.policy, run.plan.trials[i], reason) for i in job.trials]
    config = run.plan.config
    if config.truth is None:
        return list(done.result.records)
    return [
        replace(record, truth_video=truth_video(config, record.policy, record.task))
        for record in done.result.records
    ]


def given_up(lost: str) -> str:
    """Why trials of a batch failed whose worker after worker died."""
    return f"infrastructure: its workers were lost several times ({lost})"


def say_lost(out: Path, reason: str) -> None:
    """An infrastructure failure, which is no trial's: told, and kept in RUN/lost.jsonl."""
    print(f"worldgym: {reason}", file=sys.stderr, flush=True)
    append_line(out / LOST_NAME, {"time": now(), "reason": reason})
