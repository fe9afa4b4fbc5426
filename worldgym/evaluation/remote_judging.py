"""Recorded videos judged by workers: what a worker gets, and what it gives back to the driver."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from worldgym.errors import BudgetSpent, InputError, SameFailure
from worldgym.evaluation.batch_records import AttemptLog
from worldgym.evaluation.judge_recorded import RecordedRun, judge_batch
from worldgym.evaluation.remote_batches import BatchResult, WorkerLog
from worldgym.io.attempts import TrialKey
from worldgym.io.files import write_atomic
from worldgym.io.run_records import TrialRecord
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import Bench
from worldgym.stats.repeated_failures import RepeatedFailures


@dataclass(frozen=True)
class JudgeJob:
    """files: videos and actions, by their names in the run.   tried: attempts before."""

    records: tuple[TrialRecord, ...]
    files: Mapping[str, bytes]
    tried: Mapping[TrialKey, int]


def judge_job(
    run: Path, log: AttemptLog, batches: Sequence[Sequence[TrialRecord]], number: int
) -> JudgeJob:
    records = tuple(batches[number])
    names = [name for r in records for name in (r.video, r.actions_file) if name is not None]
    there = {name: run / name for name in names if (run / name).is_file()}
    files = {name: path.read_bytes() for name, path in there.items()}
    return JudgeJob(records, files, {r.key: n for r in records if (n := log.attempts(*r.key))})


class JudgeWorker:
    """Holds a judge."""

    def __init__(self, load: Callable[[], Judge], name: str, source: RecordedRun) -> None:
        """name: of the driver's judge. InputError where this machine loads another."""
        self._judge = load()
        self._source = source
        self._repeated = RepeatedFailures()
        if self._judge.name != name:
            raise InputError(
                f"a worker would judge with {self._judge.name}, and the driver has {name}; give "
                f"all machines the same files"
            )

    def __call__(self, job: JudgeJob) -> BatchResult:
        records: list[TrialRecord] = []
        stop = None
        with tempfile.TemporaryDirectory() as folder:
            for name, data in job.files.items():
                write_atomic(Path(folder) / name, data)
            source = replace(self._source, run=Path(folder))
            log = WorkerLog(job.tried)
            try:
                for record in judge_batch(
                    source, Bench(self._judge, self._repeated), log, job.records
                ):
                    log.append(record)
                    records.append(self._told(record, folder))
            except (SameFailure, BudgetSpent) as error:
                stop = error
        return BatchResult(tuple(records), {}, stop)

    def _told(self, record: TrialRecord, folder: str) -> TrialRecord:
        """With the run's own paths in what a broken video says."""
        reason = record.failure_reason
        if reason is None:
            return record
        return replace(record, failure_reason=reason.replace(folder, str(self._source.run)))
