"""Policies with another time scale than the world: another rate, or targets instead of moves. Each
describes what it changes, for the log. Example: examples/policies/refitted.py. Axes legend: B rows,
h actions of an answer, A numbers of an action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from worldgym.actions.compose import check_composable, composed, divided, widened
from worldgym.actions.moves_and_targets import no_way, pose_commanded, told_as
from worldgym.actions.pose import Pose, lacking
from worldgym.errors import InputError
from worldgym.policies.adapters.wrapped import Remembered, act_and_tell, changes_of, own_spec_of
from worldgym.policies.own.action_bounds import SLACK, Outside, acted, within_bounds
from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.types import Actions, ActionSpec, Trial

SAME = 1e-3  # relative difference of rates that are the same one


class ResampledPolicy:
    """`policy` at the rate of the world: each action becomes several (`parts`), or several become
    one."""

    def __init__(self, policy: Policy[Any], spec: ActionSpec) -> None:
        """spec: the world's. InputError where the rates do not fit, or nothing says how such
        actions add up."""
        who = f"policy {policy.name}"
        parts = _whole(spec.rate_hz / policy.spec.rate_hz)
        merged = _whole(policy.spec.rate_hz / spec.rate_hz)
        rates = f"{policy.spec.rate_hz:g} Hz in a world of {spec.rate_hz:g} Hz"
        if parts is None and merged is None:
            raise InputError(
                f"{who}: {rates}: only whole multiples can be split or joined; choose a world or a "
                f"policy of another rate"
            )
        check_composable(policy.spec)
        if policy.needs.history > 1:
            raise InputError(
                f"{who} remembers {policy.needs.history} frames, and was made for {rates}: the "
                f"time between them would differ from its training"
            )
        if policy.chunk % (merged or 1):
            raise InputError(
                f"{who}: {rates}: {merged} of its actions make one, so it must give multiples of "
                f"{merged} per call, not {policy.chunk}"
            )
        self.name = policy.name
        self.spec = spec
        self.chunk = policy.chunk * parts if parts else policy.chunk // (merged or 1)
        self.needs = policy.needs
        how = f"split in {parts}" if parts else f"joined, {merged} in one"
        cut = _cut_off(widened(policy.spec, merged or 1 / (parts or 1)), spec)
        self.changes = (*changes_of(policy), f"{rates}: actions {how}{cut}")
        self.own_spec = own_spec_of(policy)
        self._policy = policy
        self._merged = merged or 1
        self.parts = parts or 1

    def reset(self, trials: Sequence[Trial]) -> list[Any]:
        return self._policy.reset(trials)

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        return self.act_within(states, observations)[:2]

    def act_within(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions, Outside]:
        own = [replace(seen, step=self._own_step(seen.step)) for seen in observations]
        states, actions, outside = acted(self._policy, states, own)
        told = np.stack([self._at_the_rate(chunk) for chunk in actions])
        groups = outside.reshape(len(own), -1, self._merged).any(-1)
        return states, told, groups.repeat(self.parts, axis=1)

    def _own_step(self, step: int) -> int:
        return step * self._merged // self.parts

    def _at_the_rate(self, chunk: Actions) -> Actions:
        spec = self._policy.spec
        if self.parts > 1:
            return np.concatenate([divided(action, self.parts, spec) for action in chunk])
        groups = np.split(chunk, len(chunk) // self._merged)
        return np.stack([composed(group, spec) for group in groups])


class TargetingPolicy:
    """`policy` with its moves converted to the poses that they lead to, or its poses to moves. The
    state holds the commanded pose, starting from that of the task: where an action is clipped to
    the bounds of the world, the next one leads on from where that one leads."""

    def __init__(self, policy: Policy[Any], spec: ActionSpec) -> None:
        """InputError where there is no way from the one to the other."""
        if reason := no_way(policy.spec, spec):
            raise InputError(f"policy {policy.name}: {reason}")
        self.name = policy.name
        # a move that is split in several at the world's rate may be as long as all of them
        several = max(spec.rate_hz / policy.spec.rate_hz, 1.0)
        self.spec = replace(widened(spec, several), rate_hz=policy.spec.rate_hz)
        self.chunk = policy.chunk
        self.needs = policy.needs
        change = f"{policy.spec.mode} told as {spec.mode}, from the task's state"
        self.changes = (*changes_of(policy), change)
        self.own_spec = own_spec_of(policy)
        self._policy = policy

    def reset(self, trials: Sequence[Trial]) -> list[Remembered[Pose]]:
        """InputError for a task that does not say how the robot stands at its start."""
        for trial in trials:
            wanted = [*("x", "y", "z"), *(["roll"] if self.spec.rotation != "none" else [])]
            if absent := lacking(trial.task.state, wanted):
                raise InputError(
                    f"{self.changes[-1]}, and task {trial.task.name} does not say how it stands: "
                    f'add "state" with {absent} to its JSON file'
                )
        states = self._policy.reset(trials)
        poses = [Pose.of(trial.task.state) for trial in trials]
        return [Remembered(own, (pose,)) for own, pose in zip(states, poses, strict=True)]

    def act(
        self, states: Sequence[Remembered[Pose]], observations: Sequence[Observation]
    ) -> tuple[list[Remembered[Pose]], Actions]:
        return self.act_within(states, observations)[:2]

    def act_within(
        self, states: Sequence[Remembered[Pose]], observations: Sequence[Observation]
    ) -> tuple[list[Remembered[Pose]], Actions, Outside]:
        return act_and_tell(self._policy, states, observations, self._told)

    def _told(self, before: Pose, action: Actions) -> tuple[Pose, Actions, Outside]:
        """An action [1, A] => (the pose that is commanded, in the world's form [1, B] within its
        bounds, whether it lay outside [1])."""
        pose, told = told_as(before, action, self._policy.spec, self.spec)
        held, outside = within_bounds(told, self.spec)
        if not np.array_equal(held, told):
            there = pose_commanded(before, held[0], self.spec)
            pose = replace(there, gripper_open=pose.gripper_open)
        return pose, held, outside


def _cut_off(reach: ActionSpec, spec: ActionSpec) -> str:
    """What is lost of actions with the bounds of `reach` in a world of `spec`, in words; empty
    where nothing is."""
    for i, name in enumerate(spec.names):
        slack = SLACK * (spec.high[i] - spec.low[i])
        if reach.high[i] > spec.high[i] + slack or reach.low[i] < spec.low[i] - slack:
            return (
                f"; {name} may then be {reach.low[i]:g} to {reach.high[i]:g}, and the world takes "
                f"{spec.low[i]:g} to {spec.high[i]:g}: what lies beyond is cut off, and counted as "
                f"out of bounds"
            )
    return ""


def _whole(ratio: float) -> int | None:
    """The whole number above 1 that this is, give or take rounding."""
    nearest = round(ratio)
    return nearest if nearest > 1 and abs(ratio / nearest - 1.0) <= SAME else None
