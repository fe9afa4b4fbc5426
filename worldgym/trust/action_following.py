"""Does the world follow actions? One number at a time is swept from an initial frame, and estimated
from the frames that the world draws.

Each number of the action is held at five levels of its range while the others rest, and the
inverse-dynamics model reads the action off the generated frames. Gain is the change of the estimate
per unit of change in the command, relative to the same on recordings: 1 is right, 0 is a number
that the world ignores. Numbers that the inverse-dynamics model cannot read from recordings either
are not judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldgym.actions.conventions import OPEN_IS_HIGH
from worldgym.actions.embodiment import MOVING_MODES
from worldgym.actions.no_motion import no_motion
from worldgym.codecs.codec_protocol import Codec
from worldgym.trust.controls import grippers
from worldgym.trust.inverse_dynamics import InverseDynamicsModel, encode_frames, responses
from worldgym.trust.rollout_replay import ReplayOptions, replay_rollouts
from worldgym.types import Actions, ActionSpec, Rollout, Task, Trial
from worldgym.world.world_protocol import World

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a number's range, low to high
# actions; the first and the last two are left out of the reading, whose frames lie outside the
# sweep
STEPS = 8
READABLE = 0.5  # correlation on recordings from which on a number can be judged
# Readings are those of a float32 network, whose last bits differ between processors: what differs
# from a limit by less has reached it.
LAST_BITS = 1e-5


@dataclass(frozen=True)
class Response:
    """One number of the action. state: follows, weak, dead, or unreadable.

    correlation: of what was read with what was commanded.   gain: see above.   recorded: the
    inverse-dynamics model's correlation on recordings,
    and rms_error its error there, in action units.   spill: the largest gain of another number that
    was to rest."""

    name: str
    state: str
    correlation: float | None
    gain: float | None
    spill: float
    recorded: float | None
    rms_error: float


def action_following(
    world: World[Any],
    codec: Codec,
    inverse_dynamics: InverseDynamicsModel,
    tasks: Sequence[Task],
    replaying: ReplayOptions,
) -> list[Response]:
    """One response a number of the action, in the spec's order; empty where zero does not mean
    rest, so nothing can be swept."""
    spec = world.spec
    if spec.mode not in MOVING_MODES or not tasks:
        return []
    sweeps = [(d, actions) for d in range(spec.size) for actions in _sweep(spec, d)]
    rollouts = [
        Rollout(Trial(task, 0, 0), "sweep", task.frame[None, None], actions)
        for task in tasks
        for _, actions in sweeps
    ]
    replayed = replay_rollouts(world, rollouts, replaying, what="sweeping actions")
    read = np.stack(
        [
            inverse_dynamics.actions(encode_frames(codec, rollout.main))[1:-2].mean(0)
            for rollout in replayed
        ]
    )
    commanded = np.stack([rollout.actions[0] for rollout in rollouts])
    swept = np.array([d for _ in tasks for d, _ in sweeps])
    return [
        _response(d, inverse_dynamics, read[swept == d], commanded[swept == d, d])
        for d in range(spec.size)
    ]


def rest(spec: ActionSpec) -> Actions:
    """float32 [A]: no motion, gripper open."""
    open_gripper = spec.high if spec.gripper in OPEN_IS_HIGH else spec.low
    still = no_motion(np.zeros((1, spec.size), np.float32), spec)[0]
    return np.where(grippers(spec), np.asarray(open_gripper, np.float32), still)


def _sweep(spec: ActionSpec, d: int) -> list[Actions]:
    """[STEPS, A] each: number d held at every level of its range, the others at rest."""
    levels = [spec.low[d] + level * (spec.high[d] - spec.low[d]) for level in LEVELS]
    commands = []
    for level in levels:
        action = rest(spec)
        action[d] = level
        commands.append(np.repeat(action[None], STEPS, axis=0))
    return commands


def _response(
    d: int, inverse_dynamics: InverseDynamicsModel, read: Actions, commanded: Actions
) -> Response:
    """read: [N, A], commanded: [N] of number d."""
    names = inverse_dynamics.meaning.spec.names
    known = inverse_dynamics.meaning.readable
    found = responses(read, np.repeat(commanded[:, None], len(names), axis=1), names)
    spread = np.array(inverse_dynamics.meaning.spec.high) - np.array(
        inverse_dynamics.meaning.spec.low
    )
    gains = [_gain(found[name].slope, known[name].slope) for name in names]
    spill = max(
        (abs(g) * spread[d] / spread[i] for i, g in enumerate(gains) if i != d and g is not None),
        default=0.0,
    )
    own = found[names[d]]
    recorded = known[names[d]]
    state = _state(own.correlation, gains[d], recorded.correlation)
    return Response(
        names[d],
        state,
        own.correlation,
        gains[d],
        float(spill),
        recorded.correlation,
        recorded.rms_error,
    )


def _gain(slope: float | None, recorded: float | None) -> float | None:
    """None where recordings show nothing to measure it by."""
    if slope is None or recorded is None or not _reaches(recorded, 0.1):
        return None
    return slope / recorded


def _state(correlation: float | None, gain: float | None, recorded: float | None) -> str:
    if correlation is None or gain is None or recorded is None or not _reaches(recorded, READABLE):
        return "unreadable"
    if not (_reaches(correlation, 0.3) and _reaches(gain, 0.2)):
        return "dead"
    right = _reaches(gain, 0.5) and _reaches(2.0, gain)
    return "follows" if _reaches(correlation, 0.6) and right else "weak"


def _reaches(value: float, limit: float) -> bool:
    return value >= limit - LAST_BITS
