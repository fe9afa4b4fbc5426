"""The loop of the method, on one screen: policy and world model in closed loop (arXiv 2506.00613, algorithm of section 3).

rho(pi) = E[ R([o_0 .. o_H], g) | a ~ pi(o, g), o' ~ T(o, a) ]
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from worldgym.errors import WorldGymError
from worldgym.policies.observing import observe, substitutes
from worldgym.policies.protocol import Policy
from worldgym.timing import stage
from worldgym.types import Actions, Rollout, Trial
from worldgym.world.protocol import World


class PolicyFault(WorldGymError):
    """A policy answered with actions that no world can take: an infrastructure failure, never a score."""


def roll_out(world: World[Any], policy: Policy[Any], trials: Sequence[Trial]) -> list[Rollout]:
    """Plays a batch of trials of equal length to their end. A whole chunk is executed before the policy looks again.

    Row b of everything depends on trial b alone. PolicyFault if the policy returns the wrong shape or numbers not finite.
    """
    started, tasks = time.perf_counter(), [trial.task for trial in trials]
    steps, needs = tasks[0].steps, policy.needs
    video = np.empty((len(trials), steps + 1, *world.frame_shape), np.uint8)
    moves = np.empty((len(trials), steps, policy.spec.size), np.float32)
    video[:, 0] = [task.frame for task in tasks]
    with stage("world"):
        state = world.reset(video[:, 0], [trial.seed for trial in trials])
    memory = policy.reset(trials)
    for step in range(0, steps, policy.chunk):
        views = [observe(needs, policy.spec, task, video[b], moves[b, :step]) for b, task in enumerate(tasks)]
        with stage("policy"):
            memory, chunk = policy.act(memory, views)
        chunk = _checked(chunk, policy, len(trials))[:, : steps - step]
        with stage("world"):
            state, new = world.step(state, chunk)
        end = step + chunk.shape[1]
        moves[:, step:end], video[:, step + 1 : end + 1] = chunk, new
    seconds = (time.perf_counter() - started) / len(trials)
    return [
        Rollout(trial, policy.name, video[b], moves[b], seconds, substitutes(needs, trial.task)) for b, trial in enumerate(trials)
    ]


def _checked(chunk: Actions, policy: Policy[Any], rows: int) -> Actions:
    expected = (rows, policy.chunk, policy.spec.size)
    if chunk.shape != expected:
        raise PolicyFault(f"policy {policy.name} returned actions of shape {chunk.shape} where {expected} are due")
    if not np.isfinite(chunk).all():
        raise PolicyFault(f"policy {policy.name} returned actions that are not finite numbers")
    return chunk
