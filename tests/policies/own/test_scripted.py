from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from worldgym.actions.conventions import convention
from worldgym.actions.pose import Pose, pose_after
from worldgym.errors import InputError
from worldgym.policies.load_policy import load_policy
from worldgym.policies.own.scripted import RandomPolicy, StillPolicy
from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.testing import check_policy
from worldgym.types import Actions, ActionSpec, Task, Trial

SPEC = ActionSpec(
    ("x", "grip"), "delta_pose", "m", "none", "+1_closed", (-2.0, 0.0), (2.0, 1.0), 10.0
)
FRAME = np.zeros((8, 8, 3), np.uint8)


def trials(*names: str) -> list[Trial]:
    return [Trial(Task(name, "group", FRAME, "do it", 6), 0, 0) for name in names]


def look(step: int) -> Observation:
    return Observation(FRAME, "do it", step)


def wander(names: list[str], steps: int) -> Actions:
    policy = RandomPolicy(SPEC)
    states, taken = policy.reset(trials(*names)), []
    for step in range(steps):
        states, actions = policy.act(states, [look(step)] * len(names))
        taken.append(actions)
    return np.concatenate(taken, axis=1)


def test_still_commands_no_motion() -> None:
    policy = StillPolicy(SPEC)
    states, actions = policy.act(policy.reset(trials("a", "b")), [look(0), look(0)])
    assert states == [{}, {}] and actions.shape == (2, 1, 2) and not actions.any()
    with pytest.raises(InputError, match="absolute_pose"):
        StillPolicy(replace(SPEC, mode="absolute_pose"))


@pytest.mark.parametrize(
    ("name", "opened", "closed"),
    [("bridge_v2", 1.0, 0.0), ("droid_delta", 0.0, 1.0), ("libero", 0.0, 0.0)],
)
def test_still_leaves_the_gripper_as_it_stands(name: str, opened: float, closed: float) -> None:
    policy, (plain,) = StillPolicy(convention(name)), trials("a")
    shut = replace(plain, task=replace(plain.task, state={"gripper_open": 0.0}))
    _, actions = policy.act(policy.reset([plain, shut]), [look(0)] * 2)
    assert actions[:, 0, 6].tolist() == [opened, closed] and not actions[:, :, :6].any()
    for b, pose in enumerate((Pose.of({}), Pose.of({"gripper_open": 0.0}))):
        assert pose_after(pose, actions[b], policy.spec).gripper_open == pose.gripper_open


def test_random_is_smooth_bounded_and_seeded_by_the_trial() -> None:
    both = wander(["a", "b"], 200)
    assert np.array_equal(both[1:], wander(["b"], 200)) and not np.array_equal(both[0], both[1])
    assert both.dtype == np.float32
    assert (both >= SPEC.low).all() and (both <= SPEC.high).all() and both[..., 0].std() > 0.5
    assert np.corrcoef(both[0, 1:, 0], both[0, :-1, 0])[0, 1] > 0.5


def test_a_random_state_can_be_stepped_twice() -> None:
    policy = RandomPolicy(SPEC)
    states = policy.reset(trials("a"))
    assert np.array_equal(policy.act(states, [look(0)])[1], policy.act(states, [look(0)])[1])


def test_conform() -> None:
    check_policy(StillPolicy(SPEC), (8, 8, 3))
    check_policy(RandomPolicy(SPEC), (8, 8, 3))


def test_load_by_name() -> None:
    assert [load_policy(name, SPEC).name for name in ("still", "random")] == ["still", "random"]
    with pytest.raises(InputError, match="needs an action spec"):
        load_policy("still")
    with pytest.raises(InputError, match='no policy "nobody"'):
        load_policy("nobody", SPEC)


@pytest.mark.parametrize("policy", [StillPolicy(SPEC), RandomPolicy(SPEC)], ids=["still", "random"])
@pytest.mark.parametrize("chunk", [1, 2, 12])
def test_their_actions_do_not_depend_on_how_many_a_call_returns(
    policy: StillPolicy | RandomPolicy, chunk: int
) -> None:
    def acted(one: Policy[Any]) -> Actions:
        states, taken = one.reset(trials("a", "b")), []
        for step in range(0, 24, one.chunk):
            states, actions = one.act(states, [look(step)] * 2)
            taken.append(actions)
        return np.concatenate(taken, axis=1)

    other: Policy[Any] = policy.in_chunks(chunk)
    check_policy(other, (8, 8, 3))
    assert (other.chunk, policy.chunk) == (chunk, 1)
    np.testing.assert_array_equal(acted(other), acted(policy))
