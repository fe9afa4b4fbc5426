"""Recorded videos => the lines of the log of another judge, batch by batch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.errors import InputError
from worldgym.evaluation.batch_records import AttemptLog
from worldgym.evaluation.fitting import at_frames
from worldgym.evaluation.initial_frames import with_solved
from worldgym.evaluation.provenance import now
from worldgym.evaluation.unjudged import recorded_actions
from worldgym.io.run_records import RunHeader, TrialRecord, run_stride, run_views
from worldgym.io.user_code import Failure, attempt
from worldgym.io.video import decode_video, views_of
from worldgym.judges.judging import Bench, judge_each, judged_records
from worldgym.types import Rollout, Task, Trial


@dataclass(frozen=True)
class RecordedRun:
    """Videos to judge. run: their folder, with the header of its log.   tasks: by name.   solved:
    tasks that this judge takes for solved at the start."""

    run: Path
    header: RunHeader
    tasks: Mapping[str, Task]
    solved: Collection[str]


def judge_batch(
    source: RecordedRun, bench: Bench, log: AttemptLog, batch: Sequence[TrialRecord]
) -> Iterator[TrialRecord]:
    """The records to append, in order."""
    whole = list[TrialRecord]()
    rollouts = list[Rollout]()
    for record in batch:
        record = replace(record, flags=with_solved(record.flags, record.task in source.solved))
        task = task_of(source.tasks, record)
        rollout = attempt(partial(rollout_of, source.run, source.header, record, task))
        if isinstance(rollout, Failure):
            lost = {**known(log, record), "video": None}
            yield TrialRecord(**lost, failure_reason=rollout.reason, judge=bench.judge.name)
            bench.repeated.note(rollout.reason)
        else:
            whole.append(record)
            rollouts.append(rollout)
    verdicts = judge_each(bench.judge, rollouts)
    for record, rollout, verdict in zip(whole, rollouts, verdicts, strict=True):
        last = log.last_attempt(*record.key)
        yield from judged_records(bench, rollout, verdict, partial(known, log, record), last)


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


def known(log: AttemptLog, record: TrialRecord) -> dict[str, Any]:
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
