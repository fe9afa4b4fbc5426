"""Rollouts without a verdict: kept with all their pixels, so that they can be judged later and not
made again.

RUN/unjudged/POLICY/TASK-REPEAT.npy   frames uint8 [T+1, V, H, W, 3], until there is a verdict

A video is compressed, so a judge would see other pixels, might answer differently, and would be
paid again."""

from __future__ import annotations

from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.attempts import TrialKey
from worldgym.io.files import array_bytes, read_array
from worldgym.io.run_files import RunFiles, unjudged_name
from worldgym.io.run_log import RunLog
from worldgym.io.run_records import TrialRecord
from worldgym.io.video import decode_video, views_of
from worldgym.types import ONE_VIEW, Actions, Frames, Rollout, Trial


def waiting(run: Path, log: RunLog) -> dict[TrialKey, TrialRecord]:
    """The records of trials that ran to their ends and have no verdict, by trial."""
    return {
        key: r
        for key, r in log.failed.items()
        if r.video and (run / r.video).exists() and (run / str(r.actions_file)).exists()
    }


def keep(files: RunFiles, rollout: Rollout) -> None:
    files.put({_name_of(rollout.policy, rollout.trial): array_bytes(rollout.frames)})


def drop(files: RunFiles, rollout: Rollout) -> None:
    files.drop(_name_of(rollout.policy, rollout.trial))


def kept(
    run: Path, trial: Trial, record: TrialRecord, views: tuple[str, ...] = ONE_VIEW
) -> Rollout:
    """The trial's rollout: its frames as they were, or as the video has them where they were not
    kept. The time that it took was counted before. InputError if its files cannot be read or do not
    fit."""
    place = run / _name_of(record.policy, trial)
    video = run / str(record.video)
    frames: Frames = (
        read_array(place) if place.exists() else views_of(decode_video(video), views, video)
    )
    frames = frames[:, None] if frames.ndim == 4 else frames  # from before views had an axis
    actions = recorded_actions(run, record, len(frames))
    if frames.shape != (record.steps + 1, len(views), *trial.task.frame.shape):
        raise InputError(
            f"{place}: frames {frames.shape} are not those of {trial.task.name}; remove the file"
        )
    return Rollout(
        trial,
        record.policy,
        frames,
        actions,
        0.0,
        record.flags,
        clipped=record.clipped,
        views=views,
    )


def recorded_actions(run: Path, record: TrialRecord, frames: int) -> Actions:
    """The actions beside a record's video, float32 [frames - 1, A]. InputError if they do not
    fit."""
    path = run / str(record.actions_file)
    actions = read_array(path)
    if actions.ndim != 2 or len(actions) != frames - 1 or actions.dtype != "float32":
        raise InputError(
            f"{path}: holds {actions.dtype} {actions.shape} for {frames} frames; restore it from a "
            f"copy or remove it"
        )
    return actions


def _name_of(policy: str, trial: Trial) -> str:
    return unjudged_name(policy, trial.task.name, trial.repeat)
