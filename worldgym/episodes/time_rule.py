"""Which action moves which frame: a recording becomes an episode.

Published datasets disagree in time: a first action of zeros, the action that led to the frame
instead of the one that leaves it, commands that act over two steps. A `TimeRule` states what is
done about it; after it, action t moves frame t to t + 1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from worldgym.actions.conventions import METRES, POSE
from worldgym.episodes.extras import selected_extras
from worldgym.episodes.recording import Recording
from worldgym.episodes.states import plain_names
from worldgym.errors import InputError
from worldgym.types import Actions, ActionSpec, Episode, States


@dataclass(frozen=True)
class TimeRule:
    """drop_first: leave out frame 0 and action 0 (sets that begin with an action of zeros).

    shift: the move from frame t to t + 1 is made by recorded action t + shift; +1 for sets that
    store with a frame the action that led to it, -1 for a command that acts one step late. Ends
    without an action are cut. relabel: replace xyz and rotation by state[t + 1] - state[t], what
    the arm did instead of what it was told."""

    drop_first: bool = False
    shift: int = 0
    relabel: bool = False


def to_episode(recording: Recording, spec: ActionSpec, rule: TimeRule = TimeRule()) -> Episode:
    """The recording in WorldGym's time: T actions between T + 1 frames. The spec's rate becomes the
    recording's own.

    InputError where nothing is left, sizes differ from the spec, or the rule needs states that are
    not there."""
    if recording.actions.shape[1] != spec.size:
        raise InputError(
            f"{recording.source}: actions of {recording.actions.shape[1]} numbers, but the "
            f"convention has {spec.size} "
            f"({', '.join(spec.names)}); name the right one"
        )
    first, last = _span(recording, rule)
    actions = recording.actions[first + rule.shift : last + rule.shift].astype(np.float32)
    if rule.relabel:
        actions[:, : len(POSE)] = _moves(recording, spec)[first:last]
    fps = recording.fps or spec.rate_hz
    facts = (
        recording.success,
        recording.source,
        _extras(recording, range(first, last + 1), range(first + rule.shift, last + rule.shift)),
        _states(recording, slice(first, last + 1)),
    )
    kept = slice(first, last + 1)
    black = np.zeros_like(recording.frames[kept])
    others = [black if view is None else view[kept] for view in recording.others.values()]
    return Episode(
        np.stack([recording.frames[kept], *others], axis=1),
        actions,
        recording.instruction,
        replace(spec, rate_hz=fps),
        fps,
        *facts,
        views=(recording.view, *recording.others),
        absent=tuple(name for name, view in recording.others.items() if view is None),
    )


def _extras(recording: Recording, frames: range, actions: range) -> dict[str, Any]:
    counts = len(recording.frames), len(recording.actions)
    return selected_extras(recording.extras, counts, frames, actions)


def _states(recording: Recording, frames: slice) -> States | None:
    """The recorded states of those frames; names that are not one per number say nothing."""
    if recording.states is None or not recording.states.shape[1]:
        return None
    names = recording.facts.state_names
    fitting = names if len(names) == recording.states.shape[1] else ()
    return States(recording.states[frames].astype(np.float32), fitting, recording.facts.no_pose)


def _span(recording: Recording, rule: TimeRule) -> tuple[int, int]:
    """First and last + 1 of the moves t => t + 1 for which both frames and an action are there."""
    begin = int(rule.drop_first)
    first = max(begin, begin - rule.shift)
    last = min(len(recording.frames) - 1, len(recording.actions) - rule.shift)
    if last <= first:
        raise InputError(
            f"{recording.source}: {len(recording.frames)} frames leave no action under {rule}; "
            f"leave the episode out"
        )
    return first, last


def _moves(recording: Recording, spec: ActionSpec) -> Actions:
    """float32 [N - 1, 6] to replace commanded moves."""
    if spec.names[: len(POSE)] != POSE or spec.mode != "delta_pose" or spec.unit != METRES:
        raise InputError(
            f"{recording.source}: only delta poses in metres and radians can be relabelled from "
            f"states, "
            f"not {spec.mode} in {spec.unit}; leave relabelling off"
        )
    if reason := recording.no_pose():
        raise InputError(
            f"{recording.source}: its states are not the robot's pose ({reason}); leave "
            f"relabelling off"
        )
    if not plain_names(recording.facts.state_names):
        raise InputError(
            f"{recording.source}: nothing says whether its states are the robot's pose or its "
            f"joints; name their numbers, for example --state-names {' '.join(POSE)} gripper, or "
            f"leave relabelling off"
        )
    return recording.moves(spec.rotation)
