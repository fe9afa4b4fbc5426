"""What keeps a robot where it is, in every form of action."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.actions.conventions import CONVENTIONS
from worldgym.actions.no_motion import no_motion, standing_still
from worldgym.actions.pose import Pose, pose_after

LAST = {
    "bridge_v2": [0.01, 0, 0, 0.1, 0, 0, 0.3],
    "metaworld": [0.5, 0, -1, -1],
    "droid_joint_velocity": [1, -1, 0, 0, 0, 0, 0, 0.7],
    "droid_cartesian": [0.3, 0.1, 0.2, 1, 2, 3, 0.4],
}


@pytest.mark.parametrize("name", LAST)
def test_after_an_action_the_arm_stays_and_the_gripper_is_told_what_it_was(name: str) -> None:
    spec = CONVENTIONS[name]
    last = np.array([LAST[name]], np.float32)
    held = no_motion(last, spec)
    assert held.dtype == np.float32 and held[0, -1] == last[0, -1]
    if spec.mode == "delta_pose":
        before = pose_after(Pose.of({}), last, spec)
        after = pose_after(before, held, spec)
        assert np.array_equal(before.position, after.position)
        assert after.gripper_open == before.gripper_open
    else:
        assert (held[0, :-1] == (0 if "velocity" in spec.mode else last[0, :-1])).all()


def test_before_the_first_action() -> None:
    bridge = CONVENTIONS["bridge_v2"]
    assert standing_still(bridge, {"gripper_open": 0.25}).tolist() == [0, 0, 0, 0, 0, 0, 0.25]
    assert standing_still(bridge, {})[-1] == 1.0
    targets = CONVENTIONS["droid_cartesian"]
    assert standing_still(targets, {"x": 1.0}) is None
    state = dict(zip(targets.names, (0.1, 0.2, 0.3, 1.0, 2.0, 3.0), strict=False))
    still = standing_still(targets, {**state, "gripper_closed": 1.0})
    assert still is not None and still.tolist() == pytest.approx([0.1, 0.2, 0.3, 1, 2, 3, 1])
