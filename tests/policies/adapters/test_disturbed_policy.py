"""What a disturbance does to a policy's actions, in chunks of any length, batched or alone, and
after a checkpoint was saved and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from replay_policy import ReplayPolicy
from tiny_networks import TRUNK

from worldgym.actions.conventions import convention
from worldgym.errors import InputError
from worldgym.evaluation.rollout import roll_out
from worldgym.policies.adapters.disturbed_policy import (
    Disturbance,
    DisturbedPolicy,
    save_disturbed,
)
from worldgym.policies.load_policy import load
from worldgym.policies.own.bc import BCConfig, BCNet, BCPolicy
from worldgym.testing import FAKE_SPEC, FakePolicy, FakeWorld, check_policy
from worldgym.types import Actions, Task, Trial

SPEC = replace(FAKE_SPEC, unit="0.1 m", low=(-1.0,) * 3, high=(1.0,) * 3)
MOTION = np.random.default_rng(0).uniform(-0.4, 0.4, (12, 3)).astype(np.float32)


def carried_out(by: Disturbance, chunk: int = 1, trials: Sequence[int] = (0,)) -> Actions:
    """[trials, 12, 3], of a policy that replays MOTION."""
    frame = np.zeros((16, 24, 3), np.uint8)
    tasks = [Task(f"a/{i}", "a", frame, "go", len(MOTION)) for i in trials]
    replay = ReplayPolicy(SPEC, {task.name: MOTION for task in tasks}, chunk=chunk)
    world = FakeWorld(SPEC)
    rollouts = roll_out(world, DisturbedPolicy(replay, by), [Trial(t, 0, 0) for t in tasks])
    return np.stack([rollout.actions for rollout in rollouts])


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_an_action_comes_late(chunk: int) -> None:
    (late,) = carried_out(Disturbance(delay=3), chunk)
    np.testing.assert_array_equal(late[3:], MOTION[:-3])
    assert not late[:3, :2].any() and (late[:3, 2] == MOTION[0, 2]).all()  # the gripper as told


@pytest.mark.parametrize("chunk", [1, 4])
def test_moves_are_scaled_mirrored_shifted_and_stopped(chunk: int) -> None:
    (scaled,) = carried_out(Disturbance(gain=1.5, mirrored=("y",)), chunk)
    np.testing.assert_allclose(scaled, MOTION * [1.5, -1.5, 1.0], atol=1e-6)
    (aside,) = carried_out(Disturbance(aside={"x": 0.15}), chunk)
    np.testing.assert_allclose((aside - MOTION).sum(0), [1.5, 0.0, 0.0], atol=1e-5)
    (stopped,) = carried_out(Disturbance(stops=5), chunk)
    np.testing.assert_array_equal(stopped[:5], MOTION[:5])
    assert not stopped[5:, :2].any() and (stopped[5:, 2] == MOTION[5:, 2]).all()


def test_noise_belongs_to_the_trial_and_the_step() -> None:
    noisy = carried_out(Disturbance(noise=0.2), 1, (0, 1))
    np.testing.assert_array_equal(noisy, carried_out(Disturbance(noise=0.2), 3, (0, 1)))
    np.testing.assert_array_equal(noisy[1:], carried_out(Disturbance(noise=0.2), 2, (1,)))
    assert np.abs(noisy[0] - noisy[1])[:, :2].min() > 0.0
    assert not (noisy[:, :, 2] - MOTION[:, 2]).any()  # the gripper's command has none


def test_it_is_a_policy_like_any_other() -> None:
    by = Disturbance(gain=0.5, noise=0.1, aside={"x": 0.2}, stops=9, delay=2)
    check_policy(DisturbedPolicy(FakePolicy(chunk=3, spec=SPEC), by, "odd"), (16, 24, 3))


def test_places_are_delayed_and_nothing_else() -> None:
    places = FakePolicy(spec=replace(SPEC, mode="absolute_pose"))
    check_policy(DisturbedPolicy(places, Disturbance(delay=1)), (16, 24, 3))
    with pytest.raises(InputError, match="only a delay can disturb them"):
        DisturbedPolicy(places, Disturbance(gain=2.0))


def test_a_checkpoint_carries_its_disturbance(tmp_path: Path) -> None:
    spec = convention("metaworld")
    net = BCNet(BCConfig(size=(32, 32), actions=4, hidden=8, trunk=TRUNK))
    BCPolicy(net, spec, "plain").save(tmp_path / "plain", {}, "")
    told = {"open the drawer": "close the drawer"}
    by = Disturbance(told, ("x",), aside={"x": 0.1}, delay=1)
    save_disturbed(tmp_path / "plain", tmp_path / "odd", "odd", by)
    plain, odd = load(tmp_path / "plain"), load(tmp_path / "odd")
    assert odd.policy.name == "odd" and odd.identity != plain.identity
    frame = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    trial = Trial(Task("a/1", "a", frame, "open the drawer", 5), 0, 0)
    world = FakeWorld(spec=spec, frame_shape=(32, 32, 3))
    (found,) = roll_out(world, odd.policy, [trial])
    (due,) = roll_out(world, DisturbedPolicy(plain.policy, by), [trial])
    np.testing.assert_array_equal(found.actions, due.actions)
    with pytest.raises(ValueError, match="0 or more"):
        Disturbance(delay=-1)
