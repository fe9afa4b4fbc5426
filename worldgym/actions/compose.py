"""Several actions joined into one, and one split into several: the commands at a lower or higher
rate that make the same motion.

Deltas add up, and their rotations compose in the frame of the base, R = R_k ... R_1, as in
`worldgym.actions.pose`; splitting gives equal parts about the same axis. Velocities are averaged,
or repeated; of absolute targets, and of grippers, the last one counts, or is held. Axes legend: K
actions in a row, A action numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import scipy

from worldgym.actions.pose import ANGLES, AXIS, QUATERNION, radians
from worldgym.errors import InputError
from worldgym.types import Actions, ActionSpec

MODES = ("delta_pose", "absolute_pose", "joint_velocity", "joint_position")
LAST = ("absolute_pose", "joint_position")


def check_composable(spec: ActionSpec) -> None:
    """InputError where nothing says how actions of this spec add up."""
    if spec.mode not in MODES:
        raise InputError(
            f'actions of the mode "{spec.mode}" cannot be joined; keep the recorded rate'
        )
    if spec.mode == "delta_pose" and spec.rotation != "none" and radians(spec) is None:
        raise InputError(
            f'the unit "{spec.unit}" does not give radians, so rotations cannot be joined; keep '
            f"the recorded rate"
        )


def composed(actions: Actions, spec: ActionSpec) -> Actions:
    """float32 [K, A], K > 0 => float32 [A]. The result may lie beyond the bounds of the spec."""
    check_composable(spec)
    last = np.array([name.endswith("gripper") for name in spec.names])
    wide = actions.astype(np.float64)
    if spec.mode in LAST or len(wide) == 1:
        return np.asarray(actions[-1], np.float32)
    out = wide.sum(axis=0) if spec.mode == "delta_pose" else wide.mean(axis=0)
    if spec.mode == "delta_pose" and spec.rotation != "none":
        columns = turning(spec)
        out[columns] = _turned(wide[:, columns], spec)
    joined: Actions = np.where(last, wide[-1], out).astype(np.float32)
    return joined


def divided(action: Actions, parts: int, spec: ActionSpec) -> Actions:
    """float32 [A] => float32 [parts, A], which `composed` puts together again."""
    check_composable(spec)
    rows = np.tile(action.astype(np.float64), (parts, 1))
    if spec.mode == "delta_pose":
        share = rows / parts
        if spec.rotation != "none":
            columns = turning(spec)
            share[:, columns] = _part_of_turn(action[columns].astype(np.float64), parts, spec)
        last = np.array([name.endswith("gripper") for name in spec.names])
        rows = np.where(last, rows, share)
    return rows.astype(np.float32)


def widened(spec: ActionSpec, factor: float) -> ActionSpec:
    """The spec of moves that are sums of `factor` others, or parts of one where it is below 1; what
    cannot add up keeps its bounds."""
    if spec.mode != "delta_pose" or factor == 1.0:
        return spec
    grow = [not name.endswith("gripper") and not name.startswith("q") for name in spec.names]
    low, high = (
        tuple(bound * factor if grows else bound for bound, grows in zip(bounds, grow, strict=True))
        for bounds in (spec.low, spec.high)
    )
    return replace(spec, low=low, high=high)


def turning(spec: ActionSpec) -> list[int]:
    """The numbers of the rotation, in order. InputError where one is missing: the others alone do
    not compose."""
    forms = {"euler_xyz": (ANGLES,), "axis_angle": (AXIS, ANGLES), "quaternion": (QUATERNION,)}[
        spec.rotation
    ]
    for form in forms:
        if set(form) <= set(spec.names):
            return [spec.names.index(name) for name in form]
    raise InputError(
        f"a rotation in the form {spec.rotation} is not among {', '.join(spec.names)}; actions "
        f"cannot be joined, so keep the "
        f"recorded rate"
    )


def _turned(turns: npt.NDArray[np.float64], spec: ActionSpec) -> npt.NDArray[np.float64]:
    """[K, 3 or 4] => [3 or 4] in the form and unit of the spec."""
    steps = rotations(turns, spec)
    whole = steps[0]
    for step in steps[1:]:
        whole = step * whole
    return in_form(whole, spec)


def _part_of_turn(
    turn: npt.NDArray[np.float64], parts: int, spec: ActionSpec
) -> npt.NDArray[np.float64]:
    """[3 or 4] in the form and unit of the spec => the same form: the same axis, an equal part of
    the angle."""
    whole = rotations(turn[None], spec)[0]
    return in_form(scipy.spatial.transform.Rotation.from_rotvec(whole.as_rotvec() / parts), spec)


def rotations(turns: npt.NDArray[np.float64], spec: ActionSpec) -> scipy.spatial.transform.Rotation:
    """[K, 3 or 4] in the form and unit of the spec => K rotations."""
    unit = radians(spec) or 1.0
    if spec.rotation == "quaternion":
        return scipy.spatial.transform.Rotation.from_quat(turns)
    if spec.rotation == "euler_xyz":
        return scipy.spatial.transform.Rotation.from_euler("xyz", turns * unit)
    return scipy.spatial.transform.Rotation.from_rotvec(turns * unit)


def in_form(turn: scipy.spatial.transform.Rotation, spec: ActionSpec) -> npt.NDArray[np.float64]:
    """One rotation => [3 or 4] in the form and unit of the spec."""
    if spec.rotation == "quaternion":
        quaternion: npt.NDArray[np.float64] = turn.as_quat(canonical=True)
        return quaternion
    values: npt.NDArray[np.float64] = (
        turn.as_euler("xyz") if spec.rotation == "euler_xyz" else turn.as_rotvec()
    )
    return values / (radians(spec) or 1.0)
