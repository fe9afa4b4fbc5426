"""What keeps a robot where it is, in every form of action."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.actions.conventions import CONVENTIONS
from worldgym.actions.no_motion import no_motion, standing_still, untold
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


@pytest.mark.parametrize("name", ["aloha", "droid_cartesian"])
def test_a_gripper_that_a_state_names_is_told_what_it_says(name: str) -> None:
    """Of two grippers each its own."""
    spec = CONVENTIONS[name]
    state = {number: 0.1 * i for i, number in enumerate(spec.names)}
    still = standing_still(spec, state)
    assert still is not None and still.tolist() == pytest.approx(list(state.values()))
    known = {number: value for number, value in state.items() if not number.endswith("gripper")}
    grippers = [number for number in spec.names if number.endswith("gripper")]
    assert standing_still(spec, known) is None and untold(spec, known) == grippers[0]
    closed = standing_still(spec, {**known, "gripper_closed": 1.0})
    due = 0.0 if spec.gripper == "1_open_0_closed" else 1.0
    assert closed is not None
    assert [closed[spec.names.index(number)] for number in grippers] == [due] * len(grippers)


def test_a_named_gripper_of_moves_is_told_too() -> None:
    assert standing_still(CONVENTIONS["bridge_v2"], {"gripper": 0.25})[-1] == 0.25  # type: ignore[index]
    # one of -1 to +1 stays where it is at 0
    assert standing_still(CONVENTIONS["metaworld"], {"gripper": 0.25})[-1] == 0.0  # type: ignore[index]


def test_a_rotation_in_another_form_is_told() -> None:
    spec = CONVENTIONS["droid_cartesian"]
    state = {"x": 0.1, "y": 0.2, "z": 0.3, "rx": 0.5, "ry": 0.0, "rz": 0.0, "gripper_open": 1.0}
    still = standing_still(spec, state)
    assert still is not None and still.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.5, 0, 0, 0])
