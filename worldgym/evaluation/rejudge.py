"""What is done with the videos of a run that exists: judging them with another judge, and listing
them for labelling.

A new run folder is written with the same trials, videos and truth; nothing is rolled out, and no
log is changed. Videos are compressed, so a classifier sees pixels that differ a little from those
it saw during the run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.errors import BudgetSpent, InputError, SameFailure
from worldgym.evaluation.fitting import at_frames
from worldgym.evaluation.initial_frames import solved_starts, with_solved
from worldgym.evaluation.provenance import environment, now
from worldgym.evaluation.unjudged import recorded_actions
from worldgym.io.files import sha256_file, write_atomic
from worldgym.io.progress import progress
from worldgym.io.run_log import LOG_NAME, RunLog, read_header, read_log
from worldgym.io.run_records import (
    ENGINE_KEY,
    RunHeader,
    TrialRecord,
    results,
    run_stride,
    run_views,
)
from worldgym.io.user_code import Failure, attempt
from worldgym.io.video import decode_video, views_of
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import Bench, charge, judge_each, judged_records, prepare
from worldgym.judges.labels import Clip
from worldgym.report.page import write_results
from worldgym.stats.repeated_failures import RepeatedFailures
from worldgym.stats.summary import Summary
from worldgym.stats.trusted import CHECK_NAME, adopt_check
from worldgym.tasks.task_folder import load_tasks
from worldgym.types import Rollout, Task, Trial

BATCH = 16  # videos decoded at once


@dataclass(frozen=True)
class RejudgeConfig:
    """run: the folder of a finished or stopped run.   out: the new one.   tasks: None = the folder
    that the run's log names.

    command: as typed, for the log's header.   other_engine: goes on with judging that began on
    another device.
    """

    run: Path
    out: Path
    tasks: Path | None = None
    command: str = ""
    other_engine: bool = False


def rejudge(config: RejudgeConfig, judge: Judge) -> Summary:
    """Writes OUT/log.jsonl, its videos and OUT/summary.json, and returns the summary. Run it again
    to resume.

    Trials without a video keep the record they have, for they never ran. The check of the run's
    world comes along, for its colours decide what the headline numbers are of; a calibration does
    not, for it is of the other judge. InputError if OUT holds another run; SameFailure, after
    writing the summary, where one failure keeps repeating."""
    if config.out.resolve() == config.run.resolve():
        raise InputError(
            f"{config.out} is the run itself; choose another --out, for a log is never changed"
        )
    header, records = read_log(config.run / LOG_NAME)
    tasks = tasks_of_run(config.run, config.tasks)
    outcome = results(records)
    filmed = {record.task for record in records if record.video is not None}
    prepare(judge, [task for name, task in tasks.items() if name in filmed], run_views(header))
    may_differ = (ENGINE_KEY,) if config.other_engine else ()
    with RunLog.open(config.out, _header(config, header, judge), may_differ=may_differ) as log:
        if (config.run / CHECK_NAME).exists():
            adopt_check(config.out, config.run / CHECK_NAME, header.world)
        left = [
            record for record in outcome.finished + outcome.failed if record.key not in log.done
        ]
        for record in left:
            if record.video is None and not log.attempts(*record.key):
                log.append(replace(record, attempt=1))
        left = [record for record in left if record.video is not None]
        charge(judge, config.out, log.paid_usd)
        solved = solved_starts(
            [task_of(tasks, record) for record in {r.task: r for r in left}.values()], judge
        )
        batches = [left[i : i + BATCH] for i in range(0, len(left), BATCH)]
        bench = Bench(judge, RepeatedFailures())
        try:
            for batch in progress(batches, len(batches), "judging", "batch"):
                for judged in _judge_batch(config, bench, log, batch, tasks, solved):
                    log.append(judged)
        except BudgetSpent as spent:  # the rest is counted as failed, and waits for the next start
            for record in left:
                if record.key not in log.done and not log.tried(*record.key):
                    log.append(
                        TrialRecord(
                            **_known(log, record), failure_reason=str(spent), judge=judge.name
                        )
                    )
        except SameFailure:
            write_results(config.out)
            raise
        return write_results(config.out)


def clips_of_run(run: Path, tasks: Path | None = None) -> list[Clip]:
    """The videos of a run, sorted by name: what is labelled. tasks: None = the folder that the
    run's log names."""
    known = tasks_of_run(run, tasks)
    header, lines = read_log(run / LOG_NAME)
    outcome = results(lines)
    views = run_views(header)
    records = [record for record in outcome.finished + outcome.failed if record.video is not None]
    if not records:
        raise InputError(
            f"{run}: its log names no video, so there is nothing to look at; choose another run"
        )
    return [
        Clip(run / str(r.video), r.instruction, task_of(known, r).partial_credit, r.task, views)
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


def task_of(tasks: Mapping[str, Task], record: TrialRecord) -> Task:
    """The record's task. InputError if it is gone or has changed since the run."""
    task = tasks.get(record.task)
    if task is None or task.instruction != record.instruction:
        what = (
            "is not among the tasks"
            if task is None
            else f'now reads "{task.instruction}", in the run "{record.instruction}"'
        )
        raise InputError(f"task {record.task} {what}; give the run's own folder with --tasks")
    return task


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


def _judge_batch(
    config: RejudgeConfig,
    bench: Bench,
    log: RunLog,
    batch: Sequence[TrialRecord],
    tasks: Mapping[str, Task],
    solved: Collection[str],
) -> Iterator[TrialRecord]:
    """The records to append, in order. solved: tasks that this judge takes for solved at the
    start."""
    whole = list[TrialRecord]()
    rollouts = list[Rollout]()
    for record in batch:
        record = replace(record, flags=with_solved(record.flags, record.task in solved))
        task = task_of(tasks, record)
        rollout = attempt(partial(rollout_of, config.run, log.header, record, task))
        if isinstance(rollout, Failure):
            lost = {**_known(log, record), "video": None}
            yield TrialRecord(**lost, failure_reason=rollout.reason, judge=bench.judge.name)
            bench.repeated.note(rollout.reason)
        else:
            whole.append(record)
            rollouts.append(rollout)
    for record, rollout, verdict in zip(
        whole, rollouts, judge_each(bench.judge, rollouts), strict=True
    ):
        for name in filter(
            None, (record.video, record.actions_file, record.truth_video, record.frame)
        ):
            if (config.run / name).exists() or name == record.video:  # older runs lack the actions
                write_atomic(config.out / name, (config.run / name).read_bytes())
        yield from judged_records(
            bench, rollout, verdict, partial(_known, log, record), log.last_attempt(*record.key)
        )


def rollout_of(run: Path, header: RunHeader, record: TrialRecord, task: Task) -> Rollout:
    """The record's video as a rollout, with its actions; [T, 0] where an older run did not keep
    them: no judge reads them."""
    video = run / str(record.video)
    views = run_views(header)
    frames = views_of(decode_video(video), views, video)
    there = (run / str(record.actions_file)).exists()
    actions = (
        recorded_actions(run, record, len(frames))
        if there
        else np.zeros((len(frames) - 1, 0), np.float32)
    )
    whole = Rollout(
        Trial(task, record.repeat, header.run_seed),
        record.policy,
        frames,
        actions,
        record.seconds,
        record.flags,
        views=views,
    )
    return at_frames(whole, run_stride(header))


def _known(log: RunLog, record: TrialRecord) -> dict[str, Any]:
    """What another judge does not change."""
    return {
        "policy": record.policy,
        "task": record.task,
        "group": record.group,
        "instruction": record.instruction,
        "repeat": record.repeat,
        "seed": record.seed,
        "nominal": record.nominal,
        "axis": record.axis,
        "new_goal": record.new_goal,
        "frame": record.frame,
        "attempt": log.attempts(*record.key) + 1,
        "steps": record.steps,
        "flags": record.flags,
        "clipped": record.clipped,
        "truth": record.truth,
        "video": record.video,
        "truth_video": record.truth_video,
        "seconds": record.seconds,
        "timing": {part: seconds for part, seconds in record.timing.items() if part != "judge"},
        "time": now(),
    }
