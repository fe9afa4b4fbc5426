"""What is done with the videos of a run that exists: judging them with another judge, and listing
them for labelling.

A new run folder is written with the same trials, videos and truth; nothing is rolled out, and no
log is changed. Videos are compressed, so a classifier sees pixels that differ a little from those
it saw during the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from worldgym.errors import BudgetSpent, InputError, SameFailure
from worldgym.evaluation.executor import LocalExecutor, MadeJobs, Watch
from worldgym.evaluation.executor_names import executor_named
from worldgym.evaluation.initial_frames import solved_starts
from worldgym.evaluation.judge_recorded import RecordedRun, judge_batch, known, task_of
from worldgym.evaluation.provenance import environment, now
from worldgym.evaluation.remote_batches import given_up, say_lost
from worldgym.evaluation.remote_judging import JudgeWorker, judge_job
from worldgym.io.files import sha256_file
from worldgym.io.migration import found_beside
from worldgym.io.progress import progress
from worldgym.io.run_files import copy_missing
from worldgym.io.run_log import LOG_NAME, RunLog, read_header, read_log
from worldgym.io.run_records import (
    ENGINE_KEY,
    RunHeader,
    TrialRecord,
    results,
    run_stride,
    run_views,
)
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import Bench, charge, prepare
from worldgym.judges.labels import Clip
from worldgym.report.page import write_results
from worldgym.stats.repeated_failures import RepeatedFailures
from worldgym.stats.summary import Summary
from worldgym.stats.world_trust import TRUST_NAME, adopt_trust
from worldgym.tasks.task_folder import load_tasks
from worldgym.types import Task

BATCH = 16  # videos decoded at once


@dataclass(frozen=True)
class RejudgeConfig:
    """run: the folder of a finished or stopped run.   out: the new one.   tasks: None = the folder
    that the run's log names.

    command: as typed, for the log's header.   other_engine: continues with judging that began on
    another device.   on, workers, gpus: see `executor_named`.
    """

    run: Path
    out: Path
    tasks: Path | None = None
    command: str = ""
    other_engine: bool = False
    on: str = "local"
    workers: int = 0
    gpus: float = 0.0


def rejudge(
    config: RejudgeConfig, judge: Judge, load: Callable[[], Judge] | None = None
) -> Summary:
    """Writes OUT/log.jsonl, its videos and OUT/summary.json, and returns the summary. Run it again
    to resume.

    Trials without a video keep the record they have, because they never ran. The trust report of
    the run's world comes along, because its colours decide what the headline numbers are of; a
    calibration does not, because it is of the other judge. InputError if OUT holds another run;
    SameFailure, after writing the summary, where one failure keeps repeating.

    load: makes the same judge in another process, for workers; None = this one is sent."""
    if config.out.resolve() == config.run.resolve():
        raise InputError(
            f"{config.out} is the run itself; choose another --out, because a log is never changed"
        )
    header, records = read_log(config.run / LOG_NAME)
    tasks = tasks_of_run(config.run, config.tasks)
    outcome = results(records)
    filmed = {record.task for record in records if record.video is not None}
    prepare(judge, [task for name, task in tasks.items() if name in filmed], run_views(header))
    may_differ = (ENGINE_KEY,) if config.other_engine else ()
    with RunLog.open(config.out, _header(config, header, judge), may_differ=may_differ) as log:
        if (trust := found_beside(TRUST_NAME, config.run)) is not None:
            adopt_trust(config.out, trust, header.world)
        left = _left(log, outcome.finished + outcome.failed)
        charge(judge, config.out, log.paid_usd)
        shown = [task_of(tasks, record) for record in {r.task: r for r in left}.values()]
        solved = solved_starts(shown, judge, run_views(header))
        batches = [left[i : i + BATCH] for i in range(0, len(left), BATCH)]
        source = RecordedRun(config.run, log.header, tasks, solved)
        try:
            for lines in _judged(config, judge, log, source, batches, load):
                for line in lines:
                    copy_missing(line.files, config.run, config.out)
                log.append(*lines)
        except BudgetSpent as spent:
            _fail_the_rest(log, left, str(spent), judge.name)
        except SameFailure:
            write_results(config.out)
            raise
        return write_results(config.out)


def _left(log: RunLog, records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Records that are still to be judged. Those without a video are copied into the log."""
    left = [record for record in records if record.key not in log.done]
    for record in left:
        if record.video is None and not log.attempts(*record.key):
            log.append(replace(record, attempt=1))
    return [record for record in left if record.video is not None]


def _fail_the_rest(log: RunLog, left: Sequence[TrialRecord], reason: str, judge: str) -> None:
    """Counts what was not judged as failed; the next start tries it again."""
    for record in left:
        if record.key not in log.done and not log.tried(*record.key):
            log.append(TrialRecord(**known(log, record), failure_reason=reason, judge=judge))


def _judged(
    config: RejudgeConfig,
    judge: Judge,
    log: RunLog,
    source: RecordedRun,
    batches: Sequence[list[TrialRecord]],
    load: Callable[[], Judge] | None,
) -> Iterator[Sequence[TrialRecord]]:
    """Lines that are to be appended together, as they come."""
    executor = executor_named(config.on, config.workers, config.gpus)
    if isinstance(executor, LocalExecutor):
        bench = Bench(judge, RepeatedFailures())
        for batch in progress(batches, len(batches), "judging", "batch"):
            for line in judge_batch(source, bench, log, batch):
                yield [line]
        return
    setup = partial(JudgeWorker, load or partial(copy, judge), judge.name, source)
    jobs = MadeJobs(len(batches), partial(judge_job, source.run, log, batches))
    watch = Watch(partial(say_lost, config.out))
    with closing(executor.run(setup, jobs, watch)) as done:
        for one in progress(done, len(batches), "judging", "batch"):
            if one.result is None:
                reason = given_up(one.lost)
                failed = [known(log, record) for record in batches[one.number]]
                yield [TrialRecord(**f, failure_reason=reason, judge=judge.name) for f in failed]
            else:
                yield one.result.records
                if one.result.stop is not None:
                    raise one.result.stop


def clips_of_run(run: Path, tasks: Path | None = None) -> list[Clip]:
    """The videos of a run, sorted by name: what is labelled. tasks: None = the folder that the
    run's log names."""
    return [clip for _, clip in filmed_of_run(run, tasks)]


def filmed_of_run(run: Path, tasks: Path | None = None) -> list[tuple[TrialRecord, Clip]]:
    """As `clips_of_run`, each with its trial. InputError where there is no video."""
    known = tasks_of_run(run, tasks)
    header, lines = read_log(run / LOG_NAME)
    outcome = results(lines)
    views, stride = run_views(header), run_stride(header)
    records = [record for record in outcome.finished + outcome.failed if record.video is not None]
    if not records:
        raise InputError(
            f"{run}: its log names no video, so there is nothing to judge; choose another run"
        )
    return [
        (
            r,
            Clip(
                run / str(r.video),
                r.instruction,
                task_of(known, r).partial_credit,
                r.task,
                views,
                stride,
            ),
        )
        for r in sorted(records, key=lambda r: r.key)
    ]


def tasks_of_run(run: Path, folder: Path | None = None) -> dict[str, Task]:
    """By name. InputError if the folder is unknown or holds no tasks."""
    named = read_header(run / LOG_NAME).config.get("tasks")
    if folder is None and not isinstance(named, str):
        raise InputError(f"{run}: its log does not name its folder of tasks; give it with --tasks")
    folder = folder or Path(str(named))
    if not folder.is_dir():
        raise InputError(f"{folder}: the run's folder of tasks is not there; give it with --tasks")
    return {task.name: task for task in load_tasks(folder)}


def _header(config: RejudgeConfig, header: RunHeader, judge: Judge) -> RunHeader:
    source = {
        "log": sha256_file(config.run / LOG_NAME),
        "judge": header.judge,
        "commit": header.environment.get("commit"),
    }
    return replace(
        header,
        config={**header.config, "judge": dict(judge.settings), "rejudged": source},
        command=config.command,
        judge=judge.name,
        environment=environment(header.environment.get("device", "cpu")),
        started=now(),
    )
