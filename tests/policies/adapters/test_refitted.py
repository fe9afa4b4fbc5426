"""Policies at another rate or in another form: what they do is
what they would have done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from worldgym.actions.conventions import CONVENTIONS
from worldgym.actions.pose import Pose, pose_after
from worldgym.errors import InputError
from worldgym.evaluation.rollout import roll_out
from worldgym.policies.adapters.converted import converted, spoken_in
from worldgym.policies.adapters.disturbed_policy import Disturbance, DisturbedPolicy
from worldgym.policies.adapters.refitted import ResampledPolicy, TargetingPolicy
from worldgym.policies.adapters.wrapped import changes_of, committed, renamed
from worldgym.policies.own.action_bounds import OUT_OF_BOUNDS, PolicyFault
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.testing import FakePolicy, FakeWorld, check_policy
from worldgym.types import ActionSpec, Task, Trial

FRAME = np.zeros((8, 8, 3), np.uint8)
STATE = {"x": 0.3, "y": 0.0, "z": 0.2, "roll": 0.1, "pitch": 0.0, "yaw": 0.0}
TRIAL = Trial(Task("a/0", "a", FRAME, "push", 30, state=STATE), 0, 0)
BRIDGE = CONVENTIONS["bridge_v2"]  # 5 Hz
DROID = CONVENTIONS["droid_cartesian"]  # 15 Hz


def at(spec: ActionSpec, rate: float) -> ActionSpec:
    return replace(spec, rate_hz=rate)


def acted(policy: Any) -> Any:
    return policy.act(policy.reset([TRIAL]), [Observation(FRAME, "push", 0)])[1][0]


@pytest.mark.parametrize(
    ("spec", "world_hz", "chunk", "due"),
    [
        (BRIDGE, 10.0, 1, 2),  # moves, split
        (at(BRIDGE, 15.0), 5.0, 6, 2),  # moves, joined
        (at(CONVENTIONS["metaworld"], 5.0), 20.0, 3, 12),
        (CONVENTIONS["libero"], 10.0, 4, 2),
    ],
)
def test_moves_are_split_or_joined_to_the_same_motion(
    spec: ActionSpec, world_hz: float, chunk: int, due: int
) -> None:
    policy = FakePolicy(chunk=chunk, spec=spec, spread=0.5)
    told = spoken_in(policy, at(spec, world_hz))
    mine, theirs = acted(policy), acted(told)
    assert told.spec == at(spec, world_hz) and theirs.shape == (due, spec.size) == (
        told.chunk,
        spec.size,
    )
    start = Pose.of(STATE)
    end, other = pose_after(start, mine, spec), pose_after(start, theirs, told.spec)
    assert np.allclose(end.position, other.position, atol=1e-6)
    assert np.allclose(end.rotation, other.rotation, atol=1e-5)
    assert end.gripper_open == other.gripper_open
    (change,) = changes_of(told)
    assert f"{spec.rate_hz:g} Hz in a world of {world_hz:g} Hz" in change
    if chunk < due:  # sums may leave the world's bounds, where the evaluator clips and flags them
        check_policy(told, (8, 8, 3))


def test_targets_are_held_and_of_several_the_last_counts() -> None:
    policy = FakePolicy(chunk=3, spec=DROID)
    mine = acted(policy)
    held = acted(spoken_in(policy, at(DROID, 30.0)))
    assert np.array_equal(held, mine.repeat(2, axis=0))
    assert np.array_equal(acted(spoken_in(policy, at(DROID, 5.0))), mine[2:])


def test_velocities_go_on_and_of_several_the_mean_counts() -> None:
    spec = CONVENTIONS["droid_joint_velocity"]
    policy = FakePolicy(chunk=3, spec=spec)
    mine = acted(policy)
    assert np.array_equal(acted(spoken_in(policy, at(spec, 30.0))), mine.repeat(2, axis=0))
    joined = acted(spoken_in(policy, at(spec, 5.0)))
    assert np.allclose(joined[0, :7], mine[:, :7].mean(0), atol=1e-6)
    assert joined[0, 7] == mine[2, 7]


@pytest.mark.parametrize(
    ("policy", "rate", "words"),
    [
        (
            FakePolicy(spec=at(BRIDGE, 15.0)),
            10.0,
            "15 Hz in a world of 10 Hz: only whole multiples",
        ),
        (FakePolicy(spec=at(BRIDGE, 15.0), chunk=4), 5.0, "it must give multiples of 3 per call"),
        (FakePolicy(spec=BRIDGE, needs=Needs(history=2)), 10.0, "remembers 2 frames"),
        (FakePolicy(spec=CONVENTIONS["rt_1"]), 6.0, "does not give radians"),
    ],
)
def test_what_cannot_be_made_one_rate_is_refused(policy: Any, rate: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ResampledPolicy(policy, at(policy.spec, rate))
    with pytest.raises(InputError, match=words):
        spoken_in(policy, at(policy.spec, rate))


def test_moves_are_told_as_targets_and_at_the_rate_of_the_world() -> None:
    policy = FakePolicy(chunk=2, spec=BRIDGE, spread=0.5)
    told = spoken_in(policy, DROID)
    assert told.spec == DROID and told.chunk == 6
    states = told.reset([TRIAL])
    actions = []
    for step in (0, 6):
        states, chunk = told.act(states, [Observation(FRAME, "push", step)])
        actions.append(chunk[0])
    inner = policy.reset([TRIAL])
    moves = []
    for _ in range(2):
        inner, chunk = policy.act(inner, [Observation(FRAME, "push", 0)])
        moves.append(chunk[0])
    end = pose_after(Pose.of(STATE), np.concatenate(moves), BRIDGE)
    assert np.allclose(np.concatenate(actions)[-1, :3], end.position, atol=1e-6)
    assert [change.partition(",")[0] for change in changes_of(told)] == [
        "delta_pose told as absolute_pose",
        "5 Hz in a world of 15 Hz: actions split in 3",
    ]
    nowhere = replace(TRIAL, task=replace(TRIAL.task, state={}))
    with pytest.raises(InputError, match="does not say how it stands"):
        told.reset([nowhere])


@pytest.mark.parametrize("back", [False, True])
def test_actions_that_were_not_executed_are_no_part_of_the_pose(back: bool) -> None:
    """Five of eight actions are executed: the next answer goes on from the fifth."""
    names = ("x", "y", "z")
    moves = ActionSpec(names, "delta_pose", "1 m", "none", "none", (-1.0,) * 3, (1.0,) * 3, 5.0)
    poses = replace(moves, mode="absolute_pose", low=(-9.0,) * 3, high=(9.0,) * 3)
    if back:  # no move is clipped
        moves = replace(moves, low=(-20.0,) * 3, high=(20.0,) * 3)
    mine, theirs = (poses, moves) if back else (moves, poses)
    policy = committed(spoken_in(FakePolicy(chunk=8, spec=mine, spread=0.5), theirs), 5)
    plain = FakePolicy(chunk=8, spec=mine, spread=0.5)
    states, own = policy.reset([TRIAL]), plain.reset([TRIAL])
    at = np.array([STATE[name] for name in names])
    for step in (0, 5, 10):
        seen = [Observation(FRAME, "push", step)]
        states, told = policy.act(states, seen)
        own, asked = plain.act(own, seen)
        there = asked[0, :5] if back else at + asked[0, :5].astype(np.float64).cumsum(0)
        due = np.diff(np.vstack([at, there]), axis=0) if back else there
        np.testing.assert_allclose(told[0], due, atol=1e-6)
        at = there[-1]


class Constant(FakePolicy):
    """Wants one action again and again, of whatever size."""

    wants: dict[str, float] = {}  # noqa: RUF012

    def act(self, states: Any, observations: Any) -> Any:
        row = np.array([self.wants.get(name, 0.0) for name in self.spec.names], np.float32)
        return states, np.tile(row, (len(observations), self.chunk, 1))


def wanting(spec: ActionSpec, chunk: int = 1, **wants: float) -> Any:
    kind = type("Wanting", (Constant,), {"wants": wants})
    return kind(spec=spec, chunk=chunk)


def rolled(policy: Any, steps: int) -> Any:
    """In a world that takes what the policy gives: its actions, and how they were counted."""
    world = FakeWorld(spec=policy.spec, frame_shape=FRAME.shape)
    task = replace(TRIAL.task, steps=steps)
    (rollout,) = roll_out(world, policy, [replace(TRIAL, task=task)])
    return rollout


DELTA = CONVENTIONS["droid_delta"]  # 15 Hz, moves of 0.1 m
POSED = {"x": 0.7, "y": 0.0, "z": 0.2, "roll": 0.1}


@pytest.mark.parametrize("chunk", [1, 2, 4])
@pytest.mark.parametrize(("rate", "steps"), [(15.0, 4), (5.0, 6), (30.0, 4)])
def test_a_target_that_is_far_is_reached_in_as_many_moves_as_the_world_needs(
    rate: float, steps: int, chunk: int
) -> None:
    """At any rate: the world's moves are as long as they may be, and end there."""
    merged = max(round(rate / 15.0), 1)
    policy = spoken_in(wanting(at(DROID, rate), chunk * merged, **POSED), DELTA)
    assert policy.spec == DELTA
    rollout = rolled(policy, 24)
    moved = rollout.actions[:, 0].astype(np.float64).cumsum()
    np.testing.assert_allclose(moved[:3], [0.1, 0.2, 0.3], atol=1e-6)
    np.testing.assert_allclose(moved[steps - 1 :], 0.4, atol=1e-6)
    assert rollout.clipped == 3 and OUT_OF_BOUNDS in rollout.flags


def test_a_move_beyond_the_border_of_a_world_of_targets_is_lost() -> None:
    """Away from the border it leads on from there."""
    policy = TargetingPolicy(wanting(replace(BRIDGE, high=(2.0,) * 7), x=0.5), at(DROID, 5.0))
    states, told = policy.reset([TRIAL]), []
    for step in range(4):
        states, chunk = policy.act(states, [Observation(FRAME, "push", step)])
        told.append(float(chunk[0, 0, 0]))
    assert told == pytest.approx([0.8, 1.0, 1.0, 1.0])
    assert states[0].after(4).position[0] == pytest.approx(1.0)


ADAPTED: dict[str, Callable[[Any], Any]] = {
    "split": lambda policy: ResampledPolicy(policy, at(BRIDGE, 10.0)),
    "joined": lambda policy: ResampledPolicy(policy, at(BRIDGE, 2.5)),
    "told as targets": lambda policy: TargetingPolicy(policy, DROID),
    "converted": lambda policy: converted(policy, "bridge_v2", "released_10"),
    "renamed": lambda policy: renamed(policy, "other"),
    "committed": lambda policy: committed(policy, 2),
    "late": lambda policy: DisturbedPolicy(policy, Disturbance(delay=1)),
    "enlarged": lambda policy: DisturbedPolicy(policy, Disturbance(gain=1.5)),
    "twice": lambda policy: renamed(ResampledPolicy(policy, at(BRIDGE, 10.0)), "other"),
}


@pytest.mark.parametrize("how", ADAPTED)
def test_a_policy_keeps_its_own_bounds_whatever_is_made_of_its_actions(how: str) -> None:
    """What it wants outside is taken as its bound is, and counted."""
    adapt = ADAPTED[how]
    within, outside = (adapt(wanting(BRIDGE, 2, x=x)) for x in (0.05, 0.3))
    mine, theirs = rolled(within, 4), rolled(outside, 4)
    np.testing.assert_array_equal(theirs.actions, mine.actions)
    assert theirs.clipped == 4 and OUT_OF_BOUNDS in theirs.flags
    assert mine.clipped == (2 * 2 if how == "joined" else 0)
    with pytest.raises(PolicyFault, match="unit or scale is wrong"):
        rolled(adapt(wanting(BRIDGE, 2, x=50.0)), 4)


@pytest.mark.parametrize(
    ("mine", "world_hz", "words"),
    [
        (at(BRIDGE, 10.0), 5.0, "x may then be -0.1 to 0.1, and the world takes -0.05 to 0.05"),
        (replace(BRIDGE, high=(0.2,) * 6 + (1.0,)), 10.0, "x may then be -0.025 to 0.1"),
        (replace(DROID, high=(2.0,) * 7), 30.0, "x may then be -1 to 2, and the world takes"),
        (BRIDGE, 10.0, ""),
        (DROID, 5.0, ""),
    ],
)
def test_what_a_world_of_another_rate_cuts_off_is_said(
    mine: ActionSpec, world_hz: float, words: str
) -> None:
    world = at(BRIDGE if mine.mode == "delta_pose" else DROID, world_hz)
    (change,) = changes_of(spoken_in(FakePolicy(chunk=3 if world_hz > 9 else 6, spec=mine), world))
    assert words in change and ("cut off" in change) == bool(words)


def test_motion_that_the_world_cuts_off_is_counted() -> None:
    """Two legal actions are one that the world does not take whole."""
    rollout = rolled(spoken_in(wanting(at(BRIDGE, 10.0), 2, x=0.05), BRIDGE), 4)
    assert rollout.clipped == 4 and rollout.actions[:, 0] == pytest.approx(0.05)
