"""Moves <=> targets: delta poses as the absolute poses that they lead to, and back.

Both ways follow the pose that was commanded, from a start that must be known: an arm that lags is
told to go where the other form would have sent it. Axes legend: T actions in a row, A and B numbers
of an action in the one form and the other."""

from __future__ import annotations

import numpy as np
import scipy

from worldgym.actions.compose import in_form, rotations, turning
from worldgym.actions.conventions import FROM_ZERO, OPEN_IS_HIGH
from worldgym.actions.pose import (
    POSITION,
    Pose,
    Vector,
    gripper_after,
    metres,
    pose_after,
    radians,
)
from worldgym.errors import InputError
from worldgym.types import Actions, ActionSpec

MOVES = "delta_pose"
TARGETS = "absolute_pose"


def no_way(source: ActionSpec, target: ActionSpec) -> str | None:
    """Why actions of the one spec cannot be told in the other, in words; None where they can."""
    if {source.mode, target.mode} != {MOVES, TARGETS}:
        return f"{source.mode} cannot be converted to {target.mode} by adding up"
    for spec in (source, target):
        if fault := _unknown(spec):
            return fault
    kept = target.mode == TARGETS and source.rotation == "none"  # the start's rotation is
    if not kept and (source.rotation == "none") != (target.rotation == "none"):
        return "one of them turns the gripper and the other does not"
    return None


def _unknown(spec: ActionSpec) -> str | None:
    """What is not known of a spec, in words."""
    if metres(spec) is None:
        return f'the unit "{spec.unit}" does not give metres'
    if absent := [name for name in POSITION if name not in spec.names]:
        return f"{absent[0]} is not among {', '.join(spec.names)}"
    turn: list[int] = []
    if spec.rotation != "none":
        if radians(spec) is None:
            return f'the unit "{spec.unit}" does not give radians'
        try:
            turn = turning(spec)
        except InputError as fault:
            return str(fault)
    known = {*POSITION, "gripper", *(spec.names[i] for i in turn)}
    if odd := [name for name in spec.names if name not in known]:
        return f'it is unknown what the number "{odd[0]}" moves'
    return None


def told_as(
    start: Pose, actions: Actions, source: ActionSpec, target: ActionSpec
) -> tuple[Pose, Actions]:
    """float32 [T, A] => (the pose commanded last, float32 [T, B]), which may lie beyond the bounds
    of the target. The two specs have a way, see `no_way`."""
    rows = []
    pose = start
    for action in actions:
        before = pose
        pose = pose_commanded(before, action, source)
        rows.append(numbers_between(before, pose, target))
    return pose, np.array(rows, np.float32).reshape(len(actions), target.size)


def pose_commanded(before: Pose, action: Actions, spec: ActionSpec) -> Pose:
    """The pose that one action [A] of moves or targets commands."""
    if spec.mode == MOVES:
        return pose_after(before, action[None], spec)
    return _told(action, spec, before)


def _told(action: Actions, spec: ActionSpec, before: Pose) -> Pose:
    """The pose that one absolute action names."""
    values = action.astype(np.float64)
    position = values[[spec.names.index(name) for name in POSITION]] * (metres(spec) or 1.0)
    rotation: Vector = before.rotation
    if spec.rotation != "none":
        rotation = rotations(values[turning(spec)][None], spec)[0].as_matrix()
    return Pose(position, rotation, gripper_after(before.gripper_open, values[None], spec))


def numbers_between(before: Pose, pose: Pose, spec: ActionSpec) -> Vector:
    """One action [B] of `spec`, moves or targets, that leads from one pose to the other."""
    moves = spec.mode == MOVES
    out = np.zeros(spec.size)
    place = pose.position - (before.position if moves else 0.0)
    out[[spec.names.index(name) for name in POSITION]] = place / (metres(spec) or 1.0)
    if spec.rotation != "none":
        turn = pose.rotation @ before.rotation.T if moves else pose.rotation
        out[turning(spec)] = in_form(scipy.spatial.transform.Rotation.from_matrix(turn), spec)
    if "gripper" in spec.names:
        high = pose.gripper_open if spec.gripper in OPEN_IS_HIGH else 1.0 - pose.gripper_open
        out[spec.names.index("gripper")] = high if spec.gripper in FROM_ZERO else 2.0 * high - 1.0
    return out
