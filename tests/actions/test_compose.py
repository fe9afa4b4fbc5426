"""Several actions joined move the arm as they did one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.actions.compose import composed
from worldgym.actions.conventions import convention
from worldgym.actions.pose import Pose, pose_after
from worldgym.errors import InputError
from worldgym.types import ActionSpec


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["bridge_v2", "libero", "released_10", "droid_delta", "metaworld"]),
    st.integers(1, 6),
    st.integers(0, 99),
)
def test_a_joined_action_leads_to_the_same_pose(name: str, count: int, seed: int) -> None:
    spec = convention(name)
    actions = (
        np.random.default_rng(seed)
        .uniform(spec.low, spec.high, (count, spec.size))
        .astype(np.float32)
    )
    start = Pose.of({"x": 0.1, "y": 0.2, "z": 0.3, "roll": 0.4, "pitch": 0.5, "yaw": 0.6})
    one, all_of_them = (
        pose_after(start, composed(actions, spec)[None], spec),
        pose_after(start, actions, spec),
    )
    np.testing.assert_allclose(one.position, all_of_them.position, atol=1e-6)
    np.testing.assert_allclose(one.rotation, all_of_them.rotation, atol=1e-5)
    assert (
        composed(actions, spec)[spec.names.index("gripper")]
        == actions[-1, spec.names.index("gripper")]
    )


def test_quaternions_compose() -> None:
    names = ("x", "y", "z", "qx", "qy", "qz", "qw")
    spec = ActionSpec(
        names, "delta_pose", "1 m", "quaternion", "none", (-1.0,) * 7, (1.0,) * 7, 10.0
    )
    half = np.sqrt(0.5)
    quarter = np.array([[0.1, 0, 0, 0, 0, half, half]] * 2, np.float32)
    np.testing.assert_allclose(composed(quarter, spec), [0.2, 0, 0, 0, 0, 1, 0], atol=1e-6)


def test_velocities_are_averaged_and_of_targets_the_last_counts() -> None:
    velocity, target = convention("droid_joint_velocity"), convention("aloha")
    moves = np.arange(2 * velocity.size, dtype=np.float32).reshape(2, -1) / 16
    np.testing.assert_allclose(
        composed(moves, velocity), [*moves[:, :-1].mean(axis=0), moves[1, -1]]
    )
    places = np.arange(3 * target.size, dtype=np.float32).reshape(3, -1)
    np.testing.assert_array_equal(composed(places, target), places[-1])


def test_what_cannot_be_joined_is_refused() -> None:
    actions = np.zeros((2, 7), np.float32)
    with pytest.raises(InputError, match="does not give radians, so rotations cannot be joined"):
        composed(actions, convention("rt_1"))
    with pytest.raises(InputError, match='the mode "torque" cannot be joined'):
        composed(actions, replace(convention("bridge_v2"), mode="torque"))
    half = replace(
        convention("bridge_v2"), names=("x", "y", "z", "roll", "pitch", "turn", "gripper")
    )
    with pytest.raises(InputError, match="a rotation in the form euler_xyz is not among"):
        composed(actions, half)
