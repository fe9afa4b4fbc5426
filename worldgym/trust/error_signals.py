"""Signals that a rollout's verdict may be wrong: the rollout was invented, or is outside of what
the world knows. Each is a number per rollout; higher means that a wrong verdict is more likely.

From the verdict
    success             1 if judged a success, 0 if not
    log_odds_against    log-odds of the judge against its own verdict
    progress_mismatch   progress that a success lacks, or that a failure made
From the policy's other trials of this task group
    disagreeing_trials  share of them that were judged the other way
From the picture
    neighbour_distance  log distance of its latents to the nearest recorded ones
    residual            log energy of its latents outside the components of recorded ones
    codec_error         log of the codec's largest error on its frames: pictures that no latent
                        gives
With its actions
    action_error        log error of the actions read from it, step by step, in errors on recordings
    mean_action_error   the same of their mean over the rollout: motion that the picture lost or won
With what the world was trained on, where that was measured (known_motions.py)
    scene_distance, scene_residual      of the initial frame
    motion_distance, furthest_motion    of the motion in its scene: mean and largest
    claimed_far         motion_distance of what was judged a success, 0 of the others
With other noise
    latent_variation    log distance of its latents from those of other futures of the same actions
    judge_variation     how far the judge's probability moves between those futures

What a run did not keep cannot be measured: without the actions the last two kinds are absent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldgym.codecs.codec_protocol import Codec
from worldgym.io.run_records import TrialRecord
from worldgym.io.user_code import Failure
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import judge_each
from worldgym.trust.action_following import READABLE
from worldgym.trust.controls import grippers
from worldgym.trust.inverse_dynamics import BATCH, InverseDynamicsModel, encode_frames
from worldgym.trust.known_motions import KnownMotions
from worldgym.trust.rollout_replay import ReplayOptions, replay_rollouts
from worldgym.types import Actions, Frames, Rollout
from worldgym.world.world_protocol import World

MOST = 8.0  # log-odds
# where measured
USED = (
    "log_odds_against",
    "disagreeing_trials",
    "neighbour_distance",
    "residual",
    "action_error",
    "mean_action_error",
    "scene_distance",
    "scene_residual",
    "motion_distance",
    "furthest_motion",
    "claimed_far",
    "latent_variation",
    "judge_variation",
)
EVERY = 4  # frames between those that are coded once more
LAST = 0.25  # share of the frames, at the end, in which futures are compared


@dataclass(frozen=True)
class Instruments:
    """What rollouts are measured with. futures: replays with other noise, each of which costs as
    much as the rollout itself; 0 = none.   motions: those that the world was trained on, None = not
    measured."""

    world: World[Any]
    codec: Codec
    inverse_dynamics: InverseDynamicsModel
    judge: Judge
    replaying: ReplayOptions
    futures: int = 0
    motions: KnownMotions | None = None

    @property
    def motions_fact(self) -> dict[str, str]:
        """Absent where none were measured, as in files from before there were any."""
        return {} if self.motions is None else {"motions": self.motions.name}


def measure(
    with_: Instruments, rollouts: Sequence[Rollout], records: Sequence[TrialRecord]
) -> list[dict[str, float]]:
    """The signals of each rollout; `records` are their scored lines in the log."""
    rows = []
    for rollout, record in zip(rollouts, records, strict=True):
        latents = encode_frames(with_.codec, rollout.main)
        rows.append(verdict_signals(record) | picture_signals(with_, rollout.main, latents))
        if rollout.actions.shape[1]:
            rows[-1] |= action_signals(with_.inverse_dynamics, latents, rollout.actions)
            if with_.motions is not None:
                rows[-1] |= with_.motions.signals(latents, rollout.actions)
                rows[-1]["claimed_far"] = rows[-1]["success"] * rows[-1]["motion_distance"]
    if with_.futures and all(rollout.actions.shape[1] for rollout in rollouts):
        for row, found in zip(rows, _future_signals(with_, rollouts, records), strict=True):
            row |= found
    return rows


def verdict_signals(record: TrialRecord) -> dict[str, float]:
    """Of a scored trial. Without probabilities, or progress, of the judge the signal that is made
    of them is the same for all."""
    success = bool(record.succeeded)
    p = _probability(record.probability, record.score)
    odds = math.log(max(p, 1e-9) / max(1.0 - p, 1e-9))
    progress = float(success) if record.progress is None else record.progress
    return {
        "success": float(success),
        "log_odds_against": float(np.clip(-odds if success else odds, -MOST, MOST)),
        "progress_mismatch": 1.0 - progress if success else progress,
    }


def other_trial_signals(records: Sequence[TrialRecord]) -> list[dict[str, float]]:
    """Of all scored trials of a run, in order. One other trial is counted half for either verdict:
    a single trial has 0.5."""
    trials, successes = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for record in records:
        trials[record.policy, record.group] += 1
        successes[record.policy, record.group] += bool(record.succeeded)
    rows = []
    for record in records:
        count = trials[record.policy, record.group]
        won = successes[record.policy, record.group]
        otherwise = count - won if record.succeeded else won
        rows.append({"disagreeing_trials": (otherwise + 0.5) / count})
    return rows


def picture_signals(with_: Instruments, frames: Frames, latents: Tensor) -> dict[str, float]:
    """frames: uint8 [T+1, H, W, 3] and their latents [T+1, C, h, w]."""
    drift = with_.inverse_dynamics.drift(latents)
    again = (
        torch.cat([with_.codec.decode(part) for part in latents[::EVERY].split(BATCH)])
        .cpu()
        .numpy()
    )
    gaps = np.square(frames[::EVERY].astype(np.float32) - again).mean((1, 2, 3))
    return {
        "neighbour_distance": _log(float(drift.nearest.mean())),
        "residual": _log(float(drift.residual.mean())),
        "codec_error": 0.5 * _log(float(gaps.max())),
    }


def action_signals(
    inverse_dynamics: InverseDynamicsModel, latents: Tensor, actions: Actions
) -> dict[str, float]:
    """Of the numbers that move the arm and can be read from recordings; zeros where there is
    none."""
    names = inverse_dynamics.meaning.spec.names
    known = inverse_dynamics.meaning.readable
    readable = [(known[name].correlation or 0.0) >= READABLE for name in names]
    judged = readable & ~grippers(inverse_dynamics.meaning.spec)
    if not judged.any():
        return {"action_error": 0.0, "mean_action_error": 0.0}
    units = np.asarray([max(known[name].rms_error, 1e-6) for name in names], np.float32)
    errors = ((inverse_dynamics.actions(latents) - actions) / units)[:, judged]
    return {
        "action_error": _log(float(np.abs(errors).mean())),
        "mean_action_error": _log(float(np.abs(errors.mean(0)).mean())),
    }


def _future_signals(
    with_: Instruments, rollouts: Sequence[Rollout], records: Sequence[TrialRecord]
) -> list[dict[str, float]]:
    apart, moved = np.zeros(len(rollouts)), np.zeros(len(rollouts))
    for future in range(1, with_.futures + 1):
        replayed = replay_rollouts(
            with_.world, rollouts, with_.replaying, future, what="other futures"
        )
        verdicts = judge_each(with_.judge, replayed)
        for i, (mine, theirs, verdict) in enumerate(zip(rollouts, replayed, verdicts, strict=True)):
            last = max(1, round(LAST * len(mine.main)))
            gap = encode_frames(with_.codec, mine.main[-last:]) - encode_frames(
                with_.codec, theirs.main[-last:]
            )
            apart[i] += float(gap.square().mean()) / with_.futures
            if not isinstance(verdict, Failure) and verdict.score is not None:
                own = _probability(records[i].probability, records[i].score)
                moved[i] += (
                    abs(_probability(verdict.probability, verdict.score) - own) / with_.futures
                )
    return [
        {"latent_variation": 0.5 * _log(a), "judge_variation": float(w)}
        for a, w in zip(apart, moved, strict=True)
    ]


def common(rows: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """The signals that every row has, in the order of the first; there is at least one row."""
    return tuple(name for name in rows[0] if all(name in row for row in rows))


def _probability(probability: float | None, score: float | None) -> float:
    return float(score or 0.0) if probability is None else probability


def _log(value: float) -> float:
    return math.log(max(value, 1e-6))
