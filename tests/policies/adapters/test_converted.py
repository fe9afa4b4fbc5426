"""A policy speaks the world's convention where a pair is stated, at its own rate; else it keeps its
own, and is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worldgym.actions.conventions import convention
from worldgym.actions.convert import CONVERSIONS
from worldgym.errors import InputError
from worldgym.policies.adapters.converted import spoken_in
from worldgym.policies.adapters.wrapped import changes_of, own_spec_of, renamed
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FakePolicy
from worldgym.types import Task, Trial

FRAME = np.zeros((4, 4, 3), np.uint8)


def first_action(source: str, target: str, level: float) -> np.ndarray:
    """The converted first action of a policy at `level` of its range."""
    policy = spoken_in(FakePolicy(level, 0.0, spec=convention(source)), convention(target))
    assert policy.spec == convention(target)
    states = policy.reset([Trial(Task("a", "a", FRAME, "go", 1), 0, 0)])
    return policy.act(states, [Observation(FRAME, "go", 0)])[1][0, 0]


def test_actions_become_the_worlds() -> None:
    np.testing.assert_allclose(
        first_action("bridge_v2", "released_10", 1.0),
        [*[1.74] * 3, *[1.39] * 3, -1, 0, 0, 0],
        atol=1e-6,
    )
    assert first_action("libero_openvla", "libero", 0.9)[6] == -1.0  # 0.9 of open, rounded, opens
    assert first_action("libero_openvla", "libero", 0.1)[6] == 1.0


@pytest.mark.parametrize(
    ("source", "target"), [*CONVERSIONS, *(pair[::-1] for pair in CONVERSIONS)]
)
def test_every_conversion_says_what_it_does_and_what_it_was(source: str, target: str) -> None:
    own, world = convention(source), convention(target)
    policy = spoken_in(FakePolicy(spec=own), replace(world, rate_hz=own.rate_hz))
    (change,) = changes_of(policy)
    assert change.startswith(f"{source} told as {target}: ")
    assert (own.unit != world.unit) == (f"unit {own.unit} => {world.unit}" in change)
    assert (own.gripper != world.gripper) == (f"{own.gripper} => {world.gripper}" in change)
    assert ("left out" in change) == (not set(own.names) <= set(world.names))
    assert own_spec_of(policy) == own_spec_of(renamed(policy, "other")) == own
    assert changes_of(spoken_in(FakePolicy(spec=own), own)) == ()


def test_a_rate_and_a_convention_are_both_told() -> None:
    own = convention("bridge_v2")
    policy = spoken_in(FakePolicy(spec=own), convention("metaworld"))
    first, second = changes_of(policy)
    assert "roll, pitch, yaw left out: another value than at rest fails the trial" in first
    assert second.startswith("5 Hz in a world of 20 Hz") and own_spec_of(policy) == own


def test_what_is_not_stated_keeps_its_spec() -> None:
    joints = convention("droid_joint_velocity")
    assert spoken_in(FakePolicy(spec=joints), convention("released_10")).spec == joints


def test_another_rate_is_told_too_where_answers_are_long_enough() -> None:
    """15 actions per second do not become 5 by changing units: three become one."""
    world = convention("bridge_v2")
    policy = FakePolicy(spec=convention("droid_delta"), chunk=6)
    told = spoken_in(policy, world)
    assert told.spec == world and told.chunk == 2
    with pytest.raises(InputError, match="multiples of 3 per call, not 1"):
        spoken_in(replace(policy, chunk=1), world)


def test_a_world_of_the_convention_at_the_policys_rate_takes_it() -> None:
    world = replace(convention("bridge_v2"), rate_hz=15.0)
    assert spoken_in(FakePolicy(spec=convention("droid_delta")), world).spec == world


@pytest.mark.parametrize("rate", [0.0, -5.0, float("nan"), float("inf"), 1e-300])
def test_a_rate_that_cannot_be_is_refused_before_anything_is_divided(rate: float) -> None:
    policy = FakePolicy(spec=replace(convention("bridge_v2"), rate_hz=rate))
    with pytest.raises(InputError, match=r"policy fake-policy: its spec's rate is .* Hz; give"):
        spoken_in(policy, convention("bridge_v2"))
