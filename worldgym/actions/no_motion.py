"""What keeps a robot where it is: the action that fills up a step which a world carries out whole.

Axes legend: B rows, A action numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from worldgym.actions.conventions import FROM_ZERO, OPEN_IS_HIGH
from worldgym.actions.embodiment import GRIPPER, MOVING_MODES
from worldgym.actions.pose import Pose
from worldgym.types import Actions, ActionSpec


def no_motion(last: Actions, spec: ActionSpec) -> Actions:
    """After the actions `last`, float32 [B, A] => [B, A]. Of moves and velocities zero, of targets
    the last one again; the gripper is told what it was told."""
    if spec.mode not in MOVING_MODES:
        return last.copy()
    gripper = np.array([name.endswith(GRIPPER) for name in spec.names])
    return np.where(gripper, last, _zero(spec)).astype(np.float32)


def standing_still(spec: ActionSpec, state: Mapping[str, float]) -> Actions | None:
    """float32 [A]: before anything was commanded, of a robot in a state with these numbers
    (`worldgym.actions.pose.NUMBERS`, or those of the spec by name). None where a spec of targets
    has a number that the state does not tell."""
    out = _zero(spec)
    opened = Pose.of(state).gripper_open
    for i, name in enumerate(spec.names):
        if name.endswith(GRIPPER) and spec.gripper in FROM_ZERO:
            out[i] = opened if spec.gripper in OPEN_IS_HIGH else 1.0 - opened
        elif spec.mode not in MOVING_MODES and not name.endswith(GRIPPER):
            if name not in state:
                return None
            out[i] = state[name]
    return out


def _zero(spec: ActionSpec) -> Actions:
    """No motion; of a quaternion that is (0, 0, 0, 1)."""
    turning = spec.rotation == "quaternion"
    return np.array([float(turning and name == "qw") for name in spec.names], np.float32)
