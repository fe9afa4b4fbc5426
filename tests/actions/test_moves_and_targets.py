"""Moves told as poses, and poses as moves: the same poses, whatever the form of rotation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.actions.conventions import CONVENTIONS
from worldgym.actions.moves_and_targets import no_way, told_as
from worldgym.actions.pose import ANGLES, POSITION, Pose, pose_after
from worldgym.types import ActionSpec

MOVES = CONVENTIONS["bridge_v2"]
TARGETS = CONVENTIONS["droid_cartesian"]
STATE = {"x": 0.3, "y": -0.1, "z": 0.2, "roll": 0.4, "pitch": -0.3, "yaw": 1.0, "gripper_open": 1.0}


def turned(spec: ActionSpec, rotation: str) -> ActionSpec:
    """The spec with its rotation in another form."""
    names = {"axis_angle": ("rx", "ry", "rz"), "quaternion": ("qx", "qy", "qz", "qw")}[rotation]
    kept = [i for i, name in enumerate(spec.names) if name not in ANGLES]
    low = [*(spec.low[i] for i in kept[:3]), *(-4.0 for _ in names), spec.low[kept[-1]]]
    high = [*(spec.high[i] for i in kept[:3]), *(4.0 for _ in names), spec.high[kept[-1]]]
    all_names = (*POSITION, *names, "gripper")
    return replace(spec, names=all_names, rotation=rotation, low=tuple(low), high=tuple(high))


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([TARGETS, turned(TARGETS, "axis_angle"), turned(TARGETS, "quaternion")]),
)
def test_there_and_back(seed: int, targets: ActionSpec) -> None:
    rng = np.random.default_rng(seed)
    actions = rng.uniform(MOVES.low, MOVES.high, (6, MOVES.size)).astype(np.float32)
    start = Pose.of(STATE)
    assert no_way(MOVES, targets) is None and no_way(targets, MOVES) is None
    pose, told = told_as(start, actions, MOVES, targets)
    whole = pose_after(start, actions, MOVES)
    assert np.allclose(pose.position, whole.position) and np.allclose(pose.rotation, whole.rotation)
    assert np.allclose(told[-1, :3], whole.position, atol=1e-6)
    back, moves = told_as(start, told, targets, MOVES)
    assert np.allclose(moves, actions, atol=2e-5)
    assert np.allclose(back.rotation, whole.rotation, atol=1e-5)


def test_grippers_of_every_form() -> None:
    for form, closed in (
        ("+1_closed", 1.0), ("+1_open", -1.0), ("1_open_0_closed", 0.0), ("1_closed_0_open", 1.0)
    ):  # fmt: skip
        moves = replace(MOVES, gripper=form)
        action = np.array([[0, 0, 0, 0, 0, 0, closed]], np.float32)
        pose, told = told_as(Pose.of(STATE), action, moves, TARGETS)
        assert (pose.gripper_open, told[0, -1]) == (0.0, 1.0), form
        assert told_as(Pose.of(STATE), told, TARGETS, moves)[1][0, -1] == closed


def test_a_policy_that_does_not_turn_keeps_the_rotation_of_the_start() -> None:
    spec = replace(CONVENTIONS["metaworld"])
    assert no_way(spec, TARGETS) is None
    _, told = told_as(Pose.of(STATE), np.array([[1, 0, 0, 1]], np.float32), spec, TARGETS)
    assert told[0].tolist() == pytest.approx([0.34, -0.1, 0.2, 0.4, -0.3, 1.0, 1.0], abs=1e-6)
    assert no_way(TARGETS, spec) == "one of them turns the gripper and the other does not"


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("bridge_v2", "libero", "delta_pose cannot be converted to delta_pose"),
        ("droid_joint_velocity", "droid_cartesian", "joint_velocity cannot be converted to"),
        ("rt_1", "droid_cartesian", "does not give metres"),
        ("released_10", "droid_cartesian", 'it is unknown what the number "base_x" moves'),
        ("language_table", "droid_cartesian", "z is not among x, y"),
    ],
)
def test_where_there_is_no_way(source: str, target: str, words: str) -> None:
    assert words in str(no_way(CONVENTIONS[source], CONVENTIONS[target]))
