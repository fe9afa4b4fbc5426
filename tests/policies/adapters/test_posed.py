"""Policies of joints in a world of poses: each pose is where the hand is by trigonometry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from two_links import URDF, by_hand

from worldgym.actions.kinematics import Arm, robot_digest
from worldgym.errors import InputError
from worldgym.evaluation.load_parts import Sources, load_plan
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.rollout import roll_out
from worldgym.policies.adapters.posed import PosedPolicy
from worldgym.policies.adapters.wrapped import WrappedPolicy
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld, check_policy
from worldgym.types import ActionSpec, Task, Trial

pytest.importorskip("mujoco", reason="the extra [kinematics] is not installed")

JOINTS = ActionSpec(
    ("joint_0", "joint_1", "gripper"), "joint_position", "1 rad", "none", "1_closed_0_open",
    (-3.0, -3.0, 0.0), (3.0, 3.0, 1.0), 10.0,
)  # fmt: skip
FRAME = np.zeros((16, 24, 3), np.uint8)
STATE = {"joint_0": 0.3, "joint_1": -0.5, "x": 0.1, "y": 0.0, "z": 0.5, "roll": 0.0, "pitch": 0.0,
         "yaw": 0.0}  # fmt: skip


@pytest.fixture
def urdf(tmp_path: Path) -> Path:
    (tmp_path / "two.urdf").write_text(URDF, encoding="utf-8")
    return tmp_path / "two.urdf"


def acted(policy: Any) -> Any:
    trial = Trial(Task("a/0", "a", FRAME, "push", 9, state=STATE), 0, 0)
    return policy.act(policy.reset([trial]), [Observation(FRAME, "push", 0)])[1][0]


def test_positions_are_told_as_poses(urdf: Path) -> None:
    inner = FakePolicy(spec=JOINTS, chunk=4, spread=0.5)
    policy = PosedPolicy(inner, Arm(urdf, "hand"))
    joints, poses = acted(inner), acted(policy)
    for told, pose in zip(joints, poses, strict=True):
        assert pose[:3] == pytest.approx(by_hand(told[0], told[1]), abs=1e-6)
        assert pose[3:5] == pytest.approx([0, 0], abs=1e-6) and pose[6] == pytest.approx(told[2])
    assert policy.spec.mode == "absolute_pose" and policy.chunk == 4
    check_policy(policy, (16, 24, 3))


def named(policy: FakePolicy, *names: str) -> FakePolicy:
    return replace(policy, spec=replace(policy.spec, names=(*names, "gripper")))


def test_joints_are_taken_by_their_names(urdf: Path) -> None:
    """In whatever order the policy has them."""
    inner = named(FakePolicy(spec=JOINTS, chunk=4, spread=0.5), "shoulder", "elbow")
    swapped = named(inner, "elbow", "shoulder")
    policy = PosedPolicy(swapped, Arm(urdf, "hand"))
    for told, pose in zip(acted(swapped), acted(policy), strict=True):
        assert pose[:3] == pytest.approx(by_hand(told[1], told[0]), abs=1e-6)
    assert policy.changes == PosedPolicy(inner, Arm(urdf, "hand")).changes
    assert policy.changes == ("joint_position told as poses, by the robot's model",)
    speeds = replace(swapped.spec, mode="joint_velocity", unit="1 rad/s")
    still = PosedPolicy(
        WrappedPolicy(FakePolicy(spec=speeds), rework=np.zeros_like), Arm(urdf, "hand")
    )
    task = Task("a/0", "a", FRAME, "push", 9, state={"shoulder": 0.3, "elbow": -0.5})
    pose = still.act(still.reset([Trial(task, 0, 0)]), [Observation(FRAME, "push", 0)])[1][0, 0]
    assert pose[:3] == pytest.approx(by_hand(0.3, -0.5), abs=1e-6)


@pytest.mark.parametrize("names", [("joint1", "joint2"), ("base", "elbow")])
def test_other_names_are_paired_in_order_and_it_is_said(urdf: Path, names: Any) -> None:
    policy = PosedPolicy(named(FakePolicy(spec=JOINTS), *names), Arm(urdf, "hand"))
    assert policy.changes[-1].endswith(f"({names[0]} as shoulder, {names[1]} as elbow)")


@pytest.mark.parametrize("names", [("joint2", "joint1"), ("elbow", "wrist")])
def test_an_order_that_may_be_wrong_is_refused(urdf: Path, names: Any) -> None:
    with pytest.raises(InputError, match="so it is unknown which is which: name the joints"):
        PosedPolicy(named(FakePolicy(spec=JOINTS), *names), Arm(urdf, "hand"))


def test_joints_are_taken_within_their_bounds_and_what_lies_outside_is_counted(urdf: Path) -> None:
    """A pose of them has other bounds, in which nothing would be seen of it."""

    def at(level: float) -> PosedPolicy:
        wants = WrappedPolicy(FakePolicy(spec=JOINTS, chunk=2), rework=lambda a: a * 0 + level)
        return PosedPolicy(wants, Arm(urdf, "hand"))

    trial = Trial(Task("a/0", "a", FRAME, "push", 4, state=STATE), 0, 0)
    rollouts = []
    for level in (1.0, 3.5):
        policy = at(level)
        world = FakeWorld(spec=policy.spec, frame_shape=FRAME.shape)
        rollouts += roll_out(world, policy, [trial])
    assert [rollout.clipped for rollout in rollouts] == [0, 4]
    assert rollouts[1].actions[0, :3] == pytest.approx(by_hand(3.0, 3.0), abs=1e-6)


def test_velocities_are_added_up_where_their_unit_is_known(urdf: Path) -> None:
    spec = replace(JOINTS, mode="joint_velocity", unit="1 rad/s")
    inner = FakePolicy(spec=spec, chunk=3, spread=0.5)
    policy = PosedPolicy(inner, Arm(urdf, "hand"))
    angles = np.array([0.3, -0.5]) + acted(inner)[:, :2].astype(np.float64).cumsum(0) / 10.0
    assert acted(policy)[-1, :3] == pytest.approx(by_hand(*angles[-1]), abs=1e-6)
    with pytest.raises(InputError, match='add "state" with joint_0'):
        policy.reset([Trial(Task("a/0", "a", FRAME, "push", 9), 0, 0)])
    unknown = replace(spec, unit="the largest speed that the controller takes")
    with pytest.raises(InputError, match="does not say how far a joint turns"):
        PosedPolicy(replace(inner, spec=unknown), Arm(urdf, "hand"))
    with pytest.raises(InputError, match="moves 2 joints, and the robot has 1 up to that link"):
        PosedPolicy(replace(inner, spec=spec), Arm(urdf, "upper"))


def test_velocities_that_were_not_executed_are_not_added_up(urdf: Path) -> None:
    spec = replace(JOINTS, mode="joint_velocity", unit="1 rad/s")
    always = WrappedPolicy(FakePolicy(spec=spec, chunk=3), rework=lambda a: np.full_like(a, 0.2))
    policy = PosedPolicy(always, Arm(urdf, "hand"))
    states = policy.reset([Trial(Task("a/0", "a", FRAME, "push", 9, state=STATE), 0, 0)])
    states, first = policy.act(states, [Observation(FRAME, "push", 0)])
    again = policy.act(states, [Observation(FRAME, "push", 0)])[1]  # nothing was executed
    np.testing.assert_array_equal(first, again)
    later = policy.act(states, [Observation(FRAME, "push", 2)])[1]
    np.testing.assert_array_equal(later[0, 0], first[0, 2])


def test_an_evaluation_takes_a_policy_of_joints_by_its_robot(urdf: Path, tmp_path: Path) -> None:
    """Joints, told as poses, told as the moves of a world at twice the rate."""
    moves = ActionSpec(
        ("x", "y", "z", "roll", "pitch", "yaw", "gripper"), "delta_pose", "1 m; rotation in rad",
        "euler_xyz", "1_closed_0_open", (-0.5,) * 3 + (-2.0,) * 3 + (0.0,),
        (0.5,) * 3 + (2.0,) * 3 + (1.0,), 20.0,
    )  # fmt: skip
    task = Task("a/0", "a", FRAME, "push", 6, state=STATE)
    parts = (FakeWorld(spec=moves), (FakePolicy(spec=JOINTS, chunk=3),), [task], FakeJudge())
    plan = load_plan(
        Sources(*parts, device="cpu", robot=f"{urdf}:hand"), EvaluateConfig(tmp_path / "run", 1)
    )
    (policy,) = plan.policies
    assert policy.spec == moves and policy.chunk == 6
    assert plan.header.config["robot"] == robot_digest(f"{urdf}:hand")
    (told,) = plan.header.policies
    assert [change.split(" ")[0] for change in told["changes"]] == [
        "joint_position", "absolute_pose", "10",
    ]  # fmt: skip
