"""The registry of action conventions: what the numbers of an action mean in common datasets and
models.

A convention is a named `ActionSpec`. What is not in the registry is refused, never guessed from the
number of columns. Axes legend: T time, A action numbers.

Sources. Ranges and scales of the Open X sets: the converter released with arXiv 2506.00613
(world-model-eval, download_data.py) and FORMATS of each set. Rates: the Open X-Embodiment overview
table (arXiv 2310.08864). DROID: arXiv 2403.12945. LIBERO and Meta-World: their simulators'
controllers; OpenVLA's LIBERO models answer with the gripper of their training set, 1 = open (its
invert_gripper_action). ALOHA: arXiv 2304.13705. Bounds of a dataset with unknown range are those
that the released format can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from worldgym.errors import InputError, pick
from worldgym.io.files import read_json
from worldgym.io.records import from_mapping, located
from worldgym.types import ActionSpec

POSE = ("x", "y", "z", "roll", "pitch", "yaw")
# grippers whose numbers lie in [0, 1], so that zero is a command
FROM_ZERO = ("1_open_0_closed", "1_closed_0_open")
OPEN_IS_HIGH = ("+1_open", "1_open_0_closed")
# bounds of the released form: 1.75 and 1.4 less its margin of 0.01
HELD_MOVE, HELD_TURN = (1.74, 1.39)


def _arm(
    move: float, turn: float, unit: str, gripper: str, rate_hz: float, rotation: str = "euler_xyz"
) -> ActionSpec:
    """Delta pose of a gripper arm: xyz within +-move, rotation within +-turn, and the gripper."""
    lowest = 0.0 if gripper in FROM_ZERO else -1.0
    names = (*POSE, "gripper")
    bounds = (*(move,) * 3, *(turn,) * 3)
    low, high = (*(-b for b in bounds), lowest), (*bounds, 1.0)
    return ActionSpec(names, "delta_pose", unit, rotation, gripper, low, high, rate_hz)


def _without(spec: ActionSpec, *names: str) -> ActionSpec:
    """The spec less some numbers."""
    kept = [i for i, name in enumerate(spec.names) if name not in names]
    return replace(
        spec,
        names=tuple(spec.names[i] for i in kept),
        low=tuple(spec.low[i] for i in kept),
        high=tuple(spec.high[i] for i in kept),
        gripper="none" if "gripper" in names else spec.gripper,
        rotation="none" if "yaw" in names else spec.rotation,
    )


def _released() -> ActionSpec:
    """The ten numbers of the released world model: scaled deltas, gripper, and a base that Bridge
    never moves.

    Guidance's null action is the one with a last number of 1.
    """
    arm = _arm(HELD_MOVE, HELD_TURN, "1/35 m (Bridge); rotation in 1/5.6 rad", "+1_closed", 5.0)
    names = (*arm.names, "base_x", "base_y", "base_yaw")
    return replace(
        arm, names=names, low=(*arm.low, -1.0, -1.0, -1.0), high=(*arm.high, 1.0, 1.0, 1.0)
    )


def _droid_joints() -> ActionSpec:
    names = tuple(f"joint_{i}" for i in range(7))
    unit = "the largest joint speed that the controller takes"
    low, high = (*(-1.0,) * 7, 0.0), (1.0,) * 8
    return ActionSpec(
        (*names, "gripper"), "joint_velocity", unit, "none", "1_closed_0_open", low, high, 15.0
    )


def _droid_pose() -> ActionSpec:
    turn = 3.1416
    low, high = (-1.0, -1.0, -0.5, -turn, -turn, -turn, 0.0), (1.0, 1.0, 1.5, turn, turn, turn, 1.0)
    return ActionSpec(
        (*POSE, "gripper"),
        "absolute_pose",
        "1 m; rotation in rad",
        "euler_xyz",
        "1_closed_0_open",
        low,
        high,
        15.0,
    )


def _aloha() -> ActionSpec:
    """Two arms, left first; bounds of the joints are one turn, because there are no stated tighter
    ones for all of them."""
    turn = 3.1416
    names = tuple(
        f"{side}_{name}"
        for side in ("left", "right")
        for name in (*(f"joint_{i}" for i in range(6)), "gripper")
    )
    low, high = (*(-turn,) * 6, 0.0) * 2, (*(turn,) * 6, 1.0) * 2
    return ActionSpec(names, "joint_position", "1 rad", "none", "1_open_0_closed", low, high, 50.0)


MODES = ("delta_pose", "absolute_pose", "joint_velocity", "joint_position")
ROTATIONS = ("none", "euler_xyz", "axis_angle", "quaternion")
GRIPPERS = ("none", "+1_closed", "+1_open", "1_open_0_closed", "1_closed_0_open")
METRES = "1 m; rotation in rad"
CONVENTIONS: Mapping[str, ActionSpec] = {
    "bridge_v2": _arm(0.05, 0.25, METRES, "1_open_0_closed", 5.0),
    "released_10": _released(),
    "rt_1": _arm(HELD_MOVE, HELD_TURN, "as published by RT-1", "+1_closed", 3.0),
    "taco_play": _arm(0.05, 0.25, "as published by TACO Play", "+1_open", 15.0),
    "jaco_play": _without(
        _arm(0.2, HELD_TURN, "as published by Jaco Play", "+1_closed", 10.0), "roll", "pitch", "yaw"
    ),
    "berkeley_cable_routing": _without(
        _arm(HELD_MOVE, HELD_TURN, "as published by Cable Routing", "+1_closed", 10.0), "gripper"
    ),
    "roboturk": _arm(HELD_MOVE, HELD_TURN, "as published by RoboTurk", "+1_closed", 10.0),
    "nyu_door_opening": _arm(0.07, 0.07, "as published by NYU VINN", "+1_closed", 3.0),
    "viola": _arm(1.0, 0.4, "as published by VIOLA", "+1_closed", 20.0),
    "berkeley_autolab_ur5": _arm(0.02, 0.07, METRES, "+1_closed", 5.0),
    "toto": _arm(0.7, HELD_TURN, "as published by TOTO", "1_open_0_closed", 30.0),
    "language_table": ActionSpec(
        ("x", "y"), "delta_pose", "1 m", "none", "none", (-0.1, -0.1), (0.1, 0.1), 10.0
    ),
    "libero": _arm(
        1.0, 1.0, "0.05 m; rotation in 0.5 rad", "+1_closed", 20.0, rotation="axis_angle"
    ),
    "libero_openvla": _arm(
        1.0, 1.0, "0.05 m; rotation in 0.5 rad", "1_open_0_closed", 20.0, rotation="axis_angle"
    ),
    "aloha": _aloha(),
    "metaworld": ActionSpec(
        names=("x", "y", "z", "gripper"),
        mode="delta_pose",
        unit="0.04 m of target motion an action (1 cm a simulator step, held 4 steps)",
        rotation="none",
        gripper="+1_closed",
        low=(-1.0,) * 4,
        high=(1.0,) * 4,
        rate_hz=20.0,
    ),
    "droid_joint_velocity": _droid_joints(),
    "droid_cartesian": _droid_pose(),
    "droid_delta": _arm(0.1, 0.5, METRES, "1_closed_0_open", 15.0),
}


def convention(name: str) -> ActionSpec:
    """The spec of a named convention. InputError for an unknown name, with all known ones."""
    return pick("action convention", name, dict(sorted(CONVENTIONS.items())))


def load_convention(name: str | Path) -> ActionSpec:
    """A named convention, or one of the user's own from a JSON file (the fields of
    `ActionSpec`)."""
    if isinstance(name, str) and not name.endswith(".json"):
        return convention(name)
    path = Path(name)
    data = read_json(path, "an action convention")
    with located(
        path, "give names, mode, unit, rotation, gripper, low, high, rate_hz of the convention"
    ):
        spec = from_mapping(ActionSpec, data)
    bounds = [*spec.low, *spec.high, spec.rate_hz]
    sound = (
        len(spec.low) == len(spec.high) == spec.size > 0
        and all(map(math.isfinite, bounds))
        and spec.rate_hz > 0
    )
    for what, word, known in (
        ("mode", spec.mode, MODES),
        ("rotation", spec.rotation, ROTATIONS),
        ("gripper", spec.gripper, GRIPPERS),
    ):
        if word not in known:
            raise InputError(f'{path}: its {what} is "{word}"; one of {", ".join(known)}')
    if len(set(spec.names)) < spec.size or (
        spec.gripper != "none" and not any(name.endswith("gripper") for name in spec.names)
    ):
        raise InputError(
            f"{path}: each name stands once, and where there is a gripper one of them ends so"
        )
    if not sound or any(low >= high for low, high in zip(spec.low, spec.high, strict=True)):
        raise InputError(
            f"{path}: needs a low below a high for every name, all finite, and a rate above 0"
        )
    return spec


def convention_of(spec: ActionSpec) -> str | None:
    """The name of the convention a spec follows, whatever its rate; None where the registry has
    none."""
    return next(
        (
            name
            for name, known in CONVENTIONS.items()
            if replace(known, rate_hz=spec.rate_hz) == spec
        ),
        None,
    )
