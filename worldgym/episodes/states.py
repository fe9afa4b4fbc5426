"""Whether recorded states are the pose of the robot, and how far it went from frame to frame.

Rotations compose in the frame of the base, R' = dR R, as in `worldgym.actions.pose`: differences of
Euler angles are another rotation. Axes legend: N frames, S state numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import scipy

from worldgym.actions.pose import ANGLES, AXIS, POSITION, QUATERNION
from worldgym.types import Actions

FORMS = (ANGLES, AXIS, QUATERNION)
_PREFIX = re.compile(
    r"^(?:(?:observation|state|robot0?|eef?|end_effector|tcp|cartesian"
    r"|pos|position|pose|rot|quat)[._/ ]+)+"
)
_SUFFIX = re.compile(r"[._/ ](?:pos|m|rad|pose)$")
# a name that says nothing
_PLACEHOLDER = re.compile(r"(?:(?:dim|state|s|obs|value|feature|element)[_. ]?)?\d+")
_OTHER = {"rot_x": "rx", "rot_y": "ry", "rot_z": "rz", "wx": "rx", "wy": "ry", "wz": "rz"}


def plain_names(names: Sequence[str]) -> tuple[str, ...]:
    """As `worldgym.actions.pose` calls them: "ee.x" => "x", "eef_roll" => "roll". () where the
    names say nothing ("dim_0")."""
    if all(_PLACEHOLDER.fullmatch(name.lower()) for name in names):
        return ()
    short = [_SUFFIX.sub("", _PREFIX.sub("", name.lower())) for name in names]
    return tuple(_OTHER.get(name, name) for name in short)


def not_a_pose(names: Sequence[str]) -> str:
    """Why states whose numbers are named so are no pose, in words; "" where they are one, or their
    names say nothing."""
    plain = plain_names(names)
    if not plain or (
        set(POSITION) <= set(plain) and any(set(form) <= set(plain) for form in FORMS)
    ):
        return ""
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return f"its numbers are named {shown}, without x, y, z and a rotation"


def state_notes(states: Actions | None, names: Sequence[str]) -> list[str]:
    """What is to be known before states [N, S] are used for anything, one sentence each."""
    if states is None or not states.shape[1]:
        return []
    notes = []
    if not plain_names(names):
        notes.append(
            "the states have no names, so nothing says whether they are the robot's pose or its "
            "joints: --state-names says it, and --relabel needs it"
        )
    if len(states) > 1 and not np.ptp(states, axis=0).any():
        notes.append("the states never change: is it the right --state?")
    return notes


def pose_moves(states: Actions, names: Sequence[str] = (), rotation: str = "euler_xyz") -> Actions:
    """States [N, S] => float32 [N - 1, 6]: how far the pose moved between frames, rotation as Euler
    angles or axis angle.

    names: of the state's numbers; without them xyz and Euler angles (about the fixed x, then y,
    then z axis) come first."""
    plain = plain_names(names) or (*POSITION, *ANGLES)
    wide = states.astype(np.float64)
    form = next(form for form in FORMS if set(form) <= set(plain))
    places, turns = (wide[:, [plain.index(name) for name in part]] for part in (POSITION, form))
    turned = _rotations(turns, form)
    step = turned[1:] * turned[:-1].inv()
    angles = step.as_rotvec() if rotation == "axis_angle" else step.as_euler("xyz")
    return np.hstack([np.diff(places, axis=0), angles]).astype(np.float32)


def _rotations(
    turns: np.ndarray[tuple[int, ...], np.dtype[np.float64]], form: Sequence[str]
) -> scipy.spatial.transform.Rotation:
    if form == ANGLES:
        return scipy.spatial.transform.Rotation.from_euler("xyz", turns)
    if form == AXIS:
        return scipy.spatial.transform.Rotation.from_rotvec(turns)
    lengths = np.linalg.norm(turns, axis=1, keepdims=True)
    # a row of zeros turns nothing
    return scipy.spatial.transform.Rotation.from_quat(
        np.where(lengths > 0.0, turns, (0.0, 0.0, 0.0, 1.0))
    )
