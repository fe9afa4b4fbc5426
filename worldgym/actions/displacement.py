"""A motion moved to the side: the same actions, but with an end point shifted by that distance.
Deltas get the shift in parts: each action adds as much of it as its bounds allow, from the first
one on, so that the arm leaves its path as early as possible. Absolute poses are moved as they are.
x and y are taken as the horizontal axes, as in every convention of the registry. Axes legend: T
time, A action numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from worldgym.actions.pose import metres
from worldgym.errors import InputError
from worldgym.types import Actions, ActionSpec

SIDEWAYS = 0.10  # metres: beyond what a gripper of 8 to 10 cm can still reach
POSE_MODES = ("delta_pose", "absolute_pose")
Numbers = npt.NDArray[np.float64]


def immovable(spec: ActionSpec) -> str | None:
    """Why motions of this spec cannot be moved by metres, in words; None where they can."""
    if spec.mode not in POSE_MODES:
        return (
            f'actions of the mode "{spec.mode}" contain no pose, so a motion cannot be moved aside'
        )
    if not {"x", "y"} <= set(spec.names):
        return f"the action numbers {', '.join(spec.names)} have no x and y to move aside"
    if metres(spec) is None:
        return f'the unit "{spec.unit}" does not give metres, so the sideways distance is unknown'
    return None


def in_action_units(offset: dict[str, float], spec: ActionSpec) -> Numbers:
    """Metres by axis => float64 [A], zero for the numbers that are not moved. InputError for a
    spec without a pose in metres."""
    if reason := immovable(spec):
        raise InputError(f"{reason}; give a convention that states both")
    unit = metres(spec) or 1.0
    return np.array([offset.get(name, 0.0) / unit for name in spec.names], np.float64)


def sideways(actions: Actions, spec: ActionSpec, seed: int) -> Numbers:
    """float64 [A]: SIDEWAYS metres at right angles to the way that the motion makes in the plane
    of x and y, to the side that `seed` says."""
    columns = [spec.names.index("x"), spec.names.index("y")]
    path = actions[:, columns].astype(np.float64)
    if spec.mode == "delta_pose":
        path = np.concatenate([np.zeros((1, 2)), np.cumsum(path, axis=0)])
    along = path[np.argmax(np.square(path - path[0]).sum(1))] - path[0]
    length = float(np.hypot(*along))
    across = np.array([-along[1], along[0]]) / length if length > 1e-6 else np.array([1.0, 0.0])
    side = SIDEWAYS * (1.0 if seed % 2 else -1.0) * across
    return in_action_units({"x": float(side[0]), "y": float(side[1])}, spec)


def moved_aside(actions: Actions, offset: Numbers, spec: ActionSpec) -> tuple[Actions, Numbers]:
    """(float32 [T, A] within the bounds, what of `offset` [A] is left over because there is no
    room)."""
    low, high = np.asarray(spec.low), np.asarray(spec.high)
    out = actions.astype(np.float64)
    if spec.mode == "absolute_pose":
        moved = np.where(offset != 0.0, np.clip(out + offset, low, high), out)
        left = np.zeros_like(offset)
        if len(out):  # the border of the workspace stops some of it
            left = offset - (moved - out)[np.abs(moved - out - offset).sum(1).argmax()]
        return moved.astype(np.float32), np.asarray(left)
    left = offset.copy()
    for row in out:
        room = np.clip(left, np.minimum(low - row, 0.0), np.maximum(high - row, 0.0))
        row += room
        left -= room
    return out.astype(np.float32), left
