"""Where an arm stands after its actions: proprioception integrated from delta poses, where that is
sound.

Position adds up and rotation composes, both in the frame of the robot's base: p' = p + dp, R' = dR
R, as in robosuite's operational-space controller (`set_goal_orientation`, arXiv 2009.12293). What
comes out is the pose that was commanded: where an arm lags or is blocked, it is not the one that
was reached. A gripper of the form 0 to 1 is where it was sent last; one of -1 to +1 opens and
closes by the sign, and 0 leaves it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from worldgym.actions.conventions import OPEN_IS_HIGH
from worldgym.types import Actions, ActionSpec

POSITION = ("x", "y", "z")
ANGLES = ("roll", "pitch", "yaw")  # rad, about the fixed x, then y, then z axis
AXIS = ("rx", "ry", "rz")  # axis times angle, rad
QUATERNION = ("qx", "qy", "qz", "qw")
TURNS = (ANGLES, AXIS, QUATERNION)
GRIPPER = ("gripper_open", "gripper_closed")  # each in [0, 1]; the one is 1 minus the other
NUMBERS = (*POSITION, *ANGLES, *AXIS, *QUATERNION, *GRIPPER)
MOVERS = {*NUMBERS, "gripper", "base_x", "base_y", "base_yaw"} - {
    *GRIPPER
}  # a moving base leaves the arm where it is on it
# what else a state may name: joints, grippers and fingers, as actions and policies call them
JOINT = re.compile(r"(\w+_)?(joint(_?\w+)?|gripper|finger(_?\w+)?)", re.ASCII)
LEVEL = 1e-9  # cosine of the pitch under which roll and yaw are one angle

_NUMBER = r"(\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?))?"
_METRES, _RADIANS = re.compile(rf"{_NUMBER} m\b"), re.compile(rf"rotation in (?:{_NUMBER} )?rad\b")

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """position: [3], metres.   rotation: [3, 3], from the gripper's frame to the
    base's.   gripper_open: 0 closed to 1 open."""

    position: Vector
    rotation: Vector
    gripper_open: float

    @staticmethod
    def of(state: Mapping[str, float]) -> Pose:
        """From named numbers; what is not named is zero, and the gripper open. The first complete
        form of rotation counts."""
        position = np.array([state.get(name, 0.0) for name in POSITION])
        opened = state.get("gripper_open", 1.0 - state.get("gripper_closed", 0.0))
        return Pose(position, _rotation(state), opened)

    def numbers(self) -> dict[str, float]:
        """Every name of NUMBERS. The quaternion has qw >= 0."""
        turn = scipy.spatial.transform.Rotation.from_matrix(self.rotation)
        values = [
            *self.position,
            *_angles(self.rotation),
            *turn.as_rotvec(),
            *turn.as_quat(canonical=True),
        ]
        return dict(
            zip(
                NUMBERS,
                map(float, [*values, self.gripper_open, 1.0 - self.gripper_open]),
                strict=True,
            )
        )


def unsound(spec: ActionSpec, names: Sequence[str]) -> str | None:
    """Why these numbers cannot be integrated from actions of this spec, in words; None where they
    can."""
    if unknown := [name for name in names if name not in NUMBERS]:
        return f'"{unknown[0]}" cannot be followed from actions; what can is {", ".join(NUMBERS)}'
    if spec.mode != "delta_pose":
        reasons = {
            "absolute_pose": (
                "an absolute pose is a target, which an arm need not reach within a step"
            ),
            "joint_velocity": "joint velocities need a model of the arm",
            "joint_position": "joint positions need a model of the arm",
        }
        return reasons.get(
            spec.mode, f'actions of the mode "{spec.mode}" do not say where the arm is'
        )
    if strange := [name for name in spec.names if name not in MOVERS]:
        return f'it is unknown what the action number "{strange[0]}" moves'
    if set(names) & set(POSITION) and metres(spec) is None:
        return f'the unit "{spec.unit}" does not give metres'
    if set(names) - {*POSITION, *GRIPPER} and spec.rotation != "none" and radians(spec) is None:
        return f'the unit "{spec.unit}" does not give radians'
    if set(names) & set(GRIPPER) and spec.gripper == "none":
        return "the actions have no gripper"
    return None


def lacking(state: Mapping[str, float], names: Sequence[str]) -> str | None:
    """The first thing that a start state must give for these numbers and does not; None where it
    has all."""
    if absent := [name for name in POSITION if name in names and name not in state]:
        return absent[0]
    if set(names) - {*POSITION, *GRIPPER} and not any(set(turn) <= set(state) for turn in TURNS):
        return "roll, pitch, yaw"
    return "gripper_open" if set(names) & set(GRIPPER) and not set(GRIPPER) & set(state) else None


def given_by(state: Mapping[str, float], names: Sequence[str]) -> list[float]:
    """These numbers as a start state gives them, also in another form; NaN for what it does
    not."""
    pose = Pose.of(state).numbers()
    known = {name: pose[name] for name in NUMBERS if lacking(state, [name]) is None}
    return [{**known, **state}.get(name, float("nan")) for name in names]


def pose_after(start: Pose, actions: Actions, spec: ActionSpec) -> Pose:
    """The pose that delta-pose actions [T, A] command from `start`. Parts whose unit is unknown
    stay as they are."""
    if not len(actions):
        return start
    values = actions.astype(np.float64)
    moves = _columns(values, spec, POSITION) * (metres(spec) or 0.0)
    turns = _turns(values, spec) if spec.rotation != "none" else np.eye(3)[None]
    return Pose(
        start.position + moves.sum(0),
        _product(turns) @ start.rotation,
        gripper_after(start.gripper_open, values, spec),
    )


def _rotation(state: Mapping[str, float]) -> Vector:
    turn: Vector = np.eye(3)
    if set(ANGLES) <= set(state):
        turn = scipy.spatial.transform.Rotation.from_euler(
            "xyz", [state[name] for name in ANGLES]
        ).as_matrix()
    elif set(AXIS) <= set(state):
        turn = scipy.spatial.transform.Rotation.from_rotvec(
            [state[name] for name in AXIS]
        ).as_matrix()
    elif set(QUATERNION) <= set(state):
        turn = scipy.spatial.transform.Rotation.from_quat(
            [state[name] for name in QUATERNION]
        ).as_matrix()
    return turn


def _columns(values: Vector, spec: ActionSpec, names: Sequence[str]) -> Vector:
    """[T, len(names)]; zeros for a name that the spec does not have."""
    none = np.zeros(len(values))
    return np.stack(
        [values[:, spec.names.index(name)] if name in spec.names else none for name in names],
        axis=1,
    )


def _turns(values: Vector, spec: ActionSpec) -> Vector:
    """[T, 3, 3], the rotation of every action."""
    scale = radians(spec) or 0.0
    if spec.rotation == "euler_xyz":
        turns = scipy.spatial.transform.Rotation.from_euler(
            "xyz", _columns(values, spec, ANGLES) * scale
        )
    elif spec.rotation == "axis_angle":
        turns = scipy.spatial.transform.Rotation.from_rotvec(
            _columns(values, spec, AXIS if set(AXIS) & set(spec.names) else ANGLES) * scale
        )
    else:
        turns = scipy.spatial.transform.Rotation.from_quat(_columns(values, spec, QUATERNION))
    matrices: Vector = turns.as_matrix()
    return matrices


def _product(turns: Vector) -> Vector:
    """R_T ... R_2 R_1 of [T, 3, 3], in log2(T) multiplications."""
    while len(turns) > 1:
        even = len(turns) // 2 * 2
        turns = np.concatenate([turns[1::2] @ turns[:even:2], turns[even:]])
    whole: Vector = turns[0]
    return whole


def gripper_after(opened: float, values: Vector, spec: ActionSpec) -> float:
    """0 closed to 1 open, after actions [T, A] of the spec."""
    if spec.gripper == "none":
        return opened
    told = values[:, spec.names.index("gripper")]
    if spec.gripper in ("+1_closed", "+1_open"):
        told = (np.sign(told[told != 0.0]) + 1.0) / 2.0
    if not len(told):
        return opened
    last = float(np.clip(told[-1], 0.0, 1.0))
    return last if spec.gripper in OPEN_IS_HIGH else 1.0 - last


def _angles(rotation: Vector) -> tuple[float, float, float]:
    """Roll, pitch, yaw of a matrix. Straight up or down, where only their sum or difference is
    defined, yaw is 0."""
    level = float(np.hypot(rotation[0, 0], rotation[1, 0]))
    pitch = float(np.arctan2(-rotation[2, 0], level))
    if level < LEVEL:
        return float(np.arctan2(-rotation[1, 2], rotation[1, 1])), pitch, 0.0
    roll, yaw = (
        np.arctan2(rotation[2, 1], rotation[2, 2]),
        np.arctan2(rotation[1, 0], rotation[0, 0]),
    )
    return float(roll), pitch, float(yaw)


def metres(spec: ActionSpec) -> float | None:
    """What 1.0 of a translation number is: "0.05 m; ..." => 0.05, "1/35 m ..." => 1/35."""
    return _scale(_METRES.match(spec.unit))


def radians(spec: ActionSpec) -> float | None:
    """What 1.0 of a rotation number is: "...; rotation in 0.5 rad" => 0.5, "rotation in rad" => 1.
    A quaternion has no unit."""
    return 1.0 if spec.rotation == "quaternion" else _scale(_RADIANS.search(spec.unit))


def _scale(found: re.Match[str] | None) -> float | None:
    if found is None:
        return None
    over = float(found[2] or 1.0)
    return float(found[1] or 1.0) / over if over else None
