"""What keeps a robot where it is: the action that fills up a step which a world carries out whole.

Axes legend: B rows, A action numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from worldgym.actions.conventions import FROM_ZERO, OPEN_IS_HIGH
from worldgym.actions.embodiment import GRIPPER, MOVING_MODES
from worldgym.actions.pose import GRIPPER as OPENINGS
from worldgym.actions.pose import Pose, given_by
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
    has a number that the state does not tell, see `untold`."""
    if untold(spec, state) is not None:
        return None
    moves = spec.mode in MOVING_MODES
    out = _zero(spec)
    for i, name in enumerate(spec.names):
        if name.endswith(GRIPPER) and (spec.gripper in FROM_ZERO or not moves):
            out[i] = _gripper(name, spec, state)
        elif not moves:
            out[i] = given_by(state, [name])[0]
    return out


def untold(spec: ActionSpec, state: Mapping[str, float]) -> str | None:
    """The first number of a spec of targets that a state tells in no form; None where it tells
    all. Moves need none: a gripper is open where nothing says otherwise."""
    if spec.mode in MOVING_MODES:
        return None
    for name in spec.names:
        known = name in state or not np.isnan(given_by(state, [name])[0])
        if name.endswith(GRIPPER):
            known = known or spec.gripper not in FROM_ZERO or bool(set(OPENINGS) & set(state))
        if not known:
            return name
    return None


def _gripper(name: str, spec: ActionSpec, state: Mapping[str, float]) -> float:
    """What a gripper is told that stays as it is: its own number, or how far grippers are open. One
    of -1 to +1 stays at 0."""
    if name in state:
        return state[name]
    if spec.gripper not in FROM_ZERO:
        return 0.0
    opened = Pose.of(state).gripper_open
    return opened if spec.gripper in OPEN_IS_HIGH else 1.0 - opened


def _zero(spec: ActionSpec) -> Actions:
    """No motion; of a quaternion that is (0, 0, 0, 1)."""
    turning = spec.rotation == "quaternion"
    return np.array([float(turning and name == "qw") for name in spec.names], np.float32)
