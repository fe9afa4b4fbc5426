"""A policy with joint actions in a world with pose actions: a model of the robot converts joint
commands to the pose of a link. Joint positions are targets, and need nothing else. Joint velocities
are integrated from the joints in the task's state, if their unit is radians per second. Example:
examples/policies/posed.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from worldgym.actions.kinematics import Arm
from worldgym.actions.moves_and_targets import numbers_between
from worldgym.actions.pose import Pose, Vector, gripper_after
from worldgym.errors import InputError
from worldgym.policies.adapters.wrapped import Remembered, act_and_tell, changes_of, own_spec_of
from worldgym.policies.own.action_bounds import Outside
from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.types import Actions, ActionSpec, Trial

JOINT_MODES = ("joint_position", "joint_velocity")
PER_SECOND = "1 rad/s"  # how the unit of velocities that can be added up begins
REACH, TURN = 3.0, 3.1416
PLACE = ("x", "y", "z", "roll", "pitch", "yaw")

Stand = tuple[Vector, float]  # positions of the joints, how far the gripper is open
State = Remembered[Stand]


class PosedPolicy:
    """`policy` with its joints converted to absolute poses, metres and radians from the root
    link."""

    def __init__(self, policy: Policy[Any], arm: Arm) -> None:
        """InputError where its numbers are not the joints of the arm."""
        who = f"policy {policy.name}"
        spec = policy.spec
        joints = _in_order(who, [name for name in spec.names if name != "gripper"], arm.joints)
        self._columns = [spec.names.index(name) for name in joints]
        self._adds = spec.mode == "joint_velocity"
        if self._adds and not spec.unit.startswith(PER_SECOND):
            raise InputError(
                f'{who}: its joint velocities are in "{spec.unit}", which does not say how far a '
                f'joint turns in a second; a unit that begins with "{PER_SECOND}" does'
            )
        self.name = policy.name
        self.chunk = policy.chunk
        self.needs = policy.needs
        self.spec = _pose_spec(spec)
        self.changes = (
            *changes_of(policy),
            f"{spec.mode} told as poses, by the robot's model{_pairing(joints, arm.joints)}",
        )
        self.own_spec = own_spec_of(policy)
        self._policy = policy
        self._arm = arm

    def reset(self, trials: Sequence[Trial]) -> list[State]:
        """InputError where velocities lack the joints of a task's state."""
        names = [self._policy.spec.names[i] for i in self._columns]
        starts = []
        for trial in trials:
            state = trial.task.state
            if self._adds and (absent := [name for name in names if name not in state]):
                raise InputError(
                    f"{self.changes[-1]}, and task {trial.task.name} does not say where its joints "
                    f'stand: add "state" with {absent[0]} to its JSON file'
                )
            joints = np.array([state.get(name, 0.0) for name in names])
            starts.append((joints, Pose.of(state).gripper_open))
        inner = self._policy.reset(trials)
        return [Remembered(own, (start,)) for own, start in zip(inner, starts, strict=True)]

    def act(
        self, states: Sequence[State], observations: Sequence[Observation]
    ) -> tuple[list[State], Actions]:
        return self.act_within(states, observations)[:2]

    def act_within(
        self, states: Sequence[State], observations: Sequence[Observation]
    ) -> tuple[list[State], Actions, Outside]:
        return act_and_tell(self._policy, states, observations, self._posed)

    def _posed(self, before: Stand, chunk: Actions) -> tuple[Stand, Actions, Outside]:
        """Joints [n] and gripper before, actions [h, A] => both after, poses [h, 7], and none of
        them clipped."""
        joints, opened = before
        spec = self._policy.spec
        rows = []
        for action in chunk.astype(np.float64):
            told = action[self._columns]
            joints = joints + told / spec.rate_hz if self._adds else told
            opened = gripper_after(opened, action[None], spec)
            pose = Pose(*self._arm.pose(joints), opened)
            rows.append(numbers_between(pose, pose, self.spec))
        poses = np.array(rows, np.float32).reshape(len(chunk), self.spec.size)
        return (joints, opened), poses, np.zeros(len(chunk), np.bool_)


def _in_order(who: str, names: Sequence[str], joints: Sequence[str]) -> list[str]:
    """The policy's names in the order of the robot's joints. InputError where they are not as many,
    or neither names nor numbers say which is which."""
    if len(names) != len(joints):
        raise InputError(
            f"{who} moves {len(names)} joints, and the robot has {len(joints)} up to that link: "
            f"{', '.join(joints)}"
        )
    if set(names) == set(joints):
        return list(joints)
    shared = [name for name, joint in zip(names, joints, strict=True) if name in joints]
    moved = [name for name in shared if names.index(name) != list(joints).index(name)]
    if moved or _ranks(names) != _ranks(joints):
        raise InputError(
            f"{who} moves {', '.join(names)}, and the robot has {', '.join(joints)} up to that "
            f"link, so it is unknown which is which: name the joints of its spec as the URDF does"
        )
    return list(names)


def _ranks(names: Sequence[str]) -> list[int]:
    """The order of the numbers that the names end in; that of the names where one has none."""
    ends = [re.search(r"\d+$", name) for name in names]
    numbers = [int(end[0]) for end in ends if end is not None]
    return sorted(range(len(names)), key=lambda i: numbers[i] if len(numbers) == len(names) else i)


def _pairing(names: Sequence[str], joints: Sequence[str]) -> str:
    """Which name stands for which joint, in words, where they differ."""
    pairs = [f"{name} as {joint}" for name, joint in zip(names, joints, strict=True)]
    return f" ({', '.join(pairs)})" if list(names) != list(joints) else ""


def _pose_spec(spec: ActionSpec) -> ActionSpec:
    """Of absolute poses, with the gripper and the rate of a spec of joints."""
    gripper = ("gripper",) if "gripper" in spec.names else ()
    at = [spec.names.index(name) for name in gripper]
    low = (*(-REACH,) * 3, *(-TURN,) * 3, *(spec.low[i] for i in at))
    high = (*(REACH,) * 3, *(TURN,) * 3, *(spec.high[i] for i in at))
    return replace(
        spec,
        names=(*PLACE, *gripper),
        mode="absolute_pose",
        unit="1 m; rotation in rad",
        rotation="euler_xyz",
        low=low,
        high=high,
    )
