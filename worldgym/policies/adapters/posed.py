"""A policy with joint actions in a world with pose actions: a model of the robot converts joint
commands to the pose of a link. Joint positions are targets, and need nothing else. Joint velocities
are integrated from the joints in the task's state, if their unit is radians per second. Example:
examples/policies/posed.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from worldgym.actions.kinematics import Arm
from worldgym.actions.moves_and_targets import numbers_between
from worldgym.actions.pose import Pose, Vector, gripper_after
from worldgym.errors import InputError
from worldgym.policies.adapters.wrapped import Remembered, act_and_tell, changes_of
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
        self._columns = [i for i, name in enumerate(spec.names) if name != "gripper"]
        if len(self._columns) != len(arm.joints):
            raise InputError(
                f"{who} moves {len(self._columns)} joints, and the robot has {len(arm.joints)} up "
                f"to that link: {', '.join(arm.joints)}"
            )
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
        self.changes = (*changes_of(policy), f"{spec.mode} told as poses, by the robot's model")
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
        return act_and_tell(self._policy, states, observations, self._posed)

    def _posed(self, before: Stand, chunk: Actions) -> tuple[Stand, Actions]:
        """Joints [n] and gripper before, actions [h, A] => both after, and poses [h, 7]."""
        joints, opened = before
        spec = self._policy.spec
        rows = []
        for action in chunk.astype(np.float64):
            told = action[self._columns]
            joints = joints + told / spec.rate_hz if self._adds else told
            opened = gripper_after(opened, action[None], spec)
            pose = Pose(*self._arm.pose(joints), opened)
            rows.append(numbers_between(pose, pose, self.spec))
        return (joints, opened), np.array(rows, np.float32).reshape(len(chunk), self.spec.size)


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
