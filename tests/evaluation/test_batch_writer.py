"""What workers have done lies in the run's folder: files before lines, nothing lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from small_runs import small_tasks

from worldgym.errors import InputError
from worldgym.evaluation.batch_records import OpenRun
from worldgym.evaluation.batch_writer import MOST, BatchWriter
from worldgym.evaluation.executor import Done
from worldgym.evaluation.plan import EvaluateConfig, plan_evaluation
from worldgym.evaluation.remote_batches import BatchJob, BatchResult
from worldgym.io.run_files import FolderFiles
from worldgym.io.run_log import LOG_NAME, RunLog, each_record
from worldgym.io.run_records import TrialRecord
from worldgym.judges.judging import Bench
from worldgym.stats.repeated_failures import RepeatedFailures
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld

BATCHES = 40


@dataclass(frozen=True)
class SlowFiles(FolderFiles):
    """Waits for `opened` before the first lot. full: the disk is, from the second lot on."""

    lots: list[int]
    opened: threading.Event
    full: bool = False

    def put(self, files: Mapping[str, bytes]) -> None:
        assert self.opened.wait(30)
        log = self.run / LOG_NAME
        assert not any(name.encode() in log.read_bytes() for name in files)
        if self.full and self.lots:
            raise InputError("cannot write: No space left on device")
        super().put(files)
        self.lots.append(len(files))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[OpenRun]:
    config = EvaluateConfig(tmp_path, trials=BATCHES, batch=1)
    judge = FakeJudge()
    plan = plan_evaluation(config, FakeWorld(), [FakePolicy()], small_tasks(), judge)
    with RunLog.open(tmp_path, plan.header) as log:
        files = SlowFiles(tmp_path, [], threading.Event())
        yield OpenRun(plan, Bench(judge, RepeatedFailures()), log, {}, {}, files)


def batch(run: OpenRun, number: int) -> tuple[BatchJob, Done[BatchResult]]:
    (policy,) = run.plan.policies
    trial = run.plan.trials[number]
    record = TrialRecord(
        policy.name,
        trial.task.name,
        trial.task.group,
        trial.task.instruction,
        trial.repeat,
        trial.seed,
        score=1.0,
        video=f"videos/{number}.mp4",
    )
    files = {f"videos/{number}.mp4": b"video"}
    return BatchJob(policy.name, (number,), {}), Done(number, BatchResult((record,), files))


def test_batches_that_come_while_the_disk_is_waited_for_are_one_lot(run: OpenRun) -> None:
    assert isinstance(run.files, SlowFiles)
    written: list[None] = []
    with BatchWriter(run, lambda: written.append(None)) as writer:
        for number in range(MOST):  # none waits, though nothing is written
            writer.put(*batch(run, number))
        run.files.opened.set()
        for number in range(MOST, BATCHES):
            writer.put(*batch(run, number))
    assert sum(run.files.lots) == BATCHES and max(run.files.lots) <= MOST
    assert len(written) == len(run.files.lots) < BATCHES / 2
    names = [record.video for record in each_record(run.plan.config.out / LOG_NAME)[1]]
    assert names == [f"videos/{number}.mp4" for number in range(BATCHES)]


def test_what_was_put_is_written_though_the_run_breaks(run: OpenRun) -> None:
    assert isinstance(run.files, SlowFiles)
    run.files.opened.set()
    with pytest.raises(KeyboardInterrupt), BatchWriter(run, lambda: None) as writer:
        for number in range(7):
            writer.put(*batch(run, number))
        raise KeyboardInterrupt
    assert len(list(each_record(run.plan.config.out / LOG_NAME)[1])) == 7


def test_a_batch_without_workers_left_is_a_failure(run: OpenRun) -> None:
    assert isinstance(run.files, SlowFiles)
    run.files.opened.set()
    with BatchWriter(run, lambda: None) as writer:
        writer.put(batch(run, 0)[0], Done(0, None, "killed by signal 9"))
    (record,) = each_record(run.plan.config.out / LOG_NAME)[1]
    assert str(record.failure_reason).startswith("infrastructure: ")
    assert "killed by signal 9" in str(record.failure_reason)


def test_a_full_disk_ends_the_run_and_no_line_names_what_is_not_there(run: OpenRun) -> None:
    assert isinstance(run.files, SlowFiles)
    full = replace(run, files=replace(run.files, full=True))
    run.files.opened.set()
    whole = pytest.raises(InputError, match="No space left")
    with whole, BatchWriter(full, lambda: None) as writer:
        for number in range(BATCHES):
            writer.put(*batch(run, number))
    names = [str(record.video) for record in each_record(run.plan.config.out / LOG_NAME)[1]]
    assert 0 < len(names) < BATCHES
    assert all((run.plan.config.out / name).exists() for name in names)
