"""A policy speaks the world's convention where a pair is stated, at its own rate; else it keeps its
own, and is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worldgym.actions.conventions import convention
from worldgym.policies.adapters.converted import spoken_in
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
    ("source", "target"), [("droid_joint_velocity", "released_10"), ("droid_delta", "bridge_v2")]
)
def test_what_is_not_stated_or_has_another_rate_keeps_its_spec(source: str, target: str) -> None:
    """15 actions per second do not become 5 by changing units, though droid_delta and bridge_v2 are
    a stated pair."""
    assert spoken_in(FakePolicy(spec=convention(source)), convention(target)).spec == convention(
        source
    )


def test_a_world_of_the_convention_at_the_policys_rate_takes_it() -> None:
    world = replace(convention("bridge_v2"), rate_hz=15.0)
    assert spoken_in(FakePolicy(spec=convention("droid_delta")), world).spec == world
