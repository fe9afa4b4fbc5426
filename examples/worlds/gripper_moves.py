"""Poses as the moves that Cosmos-Predict and IRASim were trained on: for the adapters beside it.

Both measure a move in the frame of the gripper, times 20, and give the gripper as a state, 0 open
to 1 closed (IRASim's dataset code; `_get_actions` of cosmos-predict2.5). WorldGym's moves are in
the frame of the robot's base, so these worlds are told poses, and the evaluator turns a policy's
moves into poses from the task's state. Needs NumPy and SciPy."""

import numpy as np
from scipy.spatial.transform import Rotation

from worldgym.types import ActionSpec

NUMBERS = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
START = ("x", "y", "z", "roll", "pitch", "yaw", "gripper_closed")  # of the task's state
SCALE = 20.0  # their action_scaler, c_act_scaler
TURN = 3.1416


def pose_spec(rate_hz, reach=2.0):
    """Absolute poses: metres from the robot's base, rad about its fixed axes.   rate_hz: of the
    recordings that the checkpoint was trained on (Bridge 5, RT-1 3), whatever its videos say."""
    low = (*(-reach,) * 3, *(-TURN,) * 3, 0.0)
    high = (*(reach,) * 3, *(TURN,) * 3, 1.0)
    unit = "1 m; rotation in rad"
    return ActionSpec(
        NUMBERS, "absolute_pose", unit, "euler_xyz", "1_closed_0_open", low, high, rate_hz
    )


def gripper_moves(start, poses):
    """float [7], float [h, 7] => float32 [h, 7]: from each pose to the next, as they were
    trained."""
    before = np.vstack([start, poses[:-1]]).astype(np.float64)
    after = np.asarray(poses, np.float64)
    base = Rotation.from_euler("xyz", before[:, 3:6]).inv()
    moved = base.apply(after[:, :3] - before[:, :3])
    turned = (base * Rotation.from_euler("xyz", after[:, 3:6])).as_euler("xyz")
    return np.hstack([SCALE * moved, SCALE * turned, after[:, 6:]]).astype(np.float32)
