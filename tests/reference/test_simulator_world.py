"""The simulator behind the world seam: branches, batches, and the fast ways of looking at it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

# importing it here would choose the renderer before the simulator does
if importlib.util.find_spec("metaworld") is None:
    pytest.skip("needs the simulator: pip install 'worldgym[reference]'", allow_module_level=True)

from replay_policy import ReplayPolicy

from worldgym.errors import InputError
from worldgym.evaluation.rollout import roll_out
from worldgym.io.bundled import BUNDLE
from worldgym.policies.load_policy import load_policy
from worldgym.policies.own.scripted import RandomPolicy
from worldgym.policies.policy_protocol import Needs
from worldgym.reference.reference_tasks import METAWORLD_SPEC
from worldgym.reference.simulator import Simulator
from worldgym.reference.simulator_world import SimulatorJudge, SimulatorWorld
from worldgym.reference.variations import variation
from worldgym.types import Actions, Frames, Trial

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    one = Simulator("drawer-close")
    yield one
    one.close()


@pytest.fixture
def actions() -> Actions:
    return np.random.default_rng(0).uniform(-1, 1, (2, 7, 4)).astype(np.float32)


def starts(world: SimulatorWorld) -> Frames:
    return np.stack([world.task(seed).frame[None] for seed in (10000, 10001)])


def test_a_world_is_the_simulator_however_it_is_stepped(
    simulator: Simulator, actions: Actions
) -> None:
    simulator.reset(10001)
    plain = np.stack([simulator.step(action).frame for action in actions[1]])
    world = SimulatorWorld(simulator)
    state = world.reset(starts(world), [0, 1])
    _, whole = world.step(state, actions)
    middle, first = world.step(state, actions[:, :3])  # of a state that was stepped already
    world.step(middle, actions[:, :2])  # a detour
    _, rest = world.step(middle, actions[:, 3:])
    assert np.array_equal(whole[1, :, 0], plain)
    assert np.array_equal(np.concatenate([first, rest], axis=1), whole)
    _, alone = world.step(world.reset(starts(world)[1:], [1]), actions[1:])
    assert np.array_equal(alone, whole[1:])


def test_noise_of_a_sensor_is_part_of_the_state(actions: Actions) -> None:
    noisy = Simulator("drawer-open", change=variation("noise"))
    world = SimulatorWorld(noisy, "noise")
    task = world.task(10000)
    assert (task.name, task.group, task.nominal, task.axis) == (
        "noise/drawer-open/10000",
        "noise/drawer-open",
        "drawer-open/10000",
        "noise",
    )
    state = world.reset(task.frame[None, None], [0])
    _, once = world.step(state, actions[:1])
    _, again = world.step(state, actions[:1])
    assert np.array_equal(once, again)
    noisy.close()


@pytest.mark.parametrize("name", ["bc-large", "bc-chunk8"])
def test_brief_and_sparse_rollouts_succeed_at_the_same_step(
    simulator: Simulator, name: str
) -> None:
    policy = load_policy(str(BUNDLE / "policies" / name), METAWORLD_SPEC)
    steps = []
    for fast in (False, True):
        world = SimulatorWorld(simulator, brief=fast, sparse=fast)
        task = world.task(10000, 30)
        (rollout,) = roll_out(world, policy, [Trial(task, 0, 0)])
        verdict = SimulatorJudge(world)(rollout, task)
        steps.append(verdict.provenance["first_success_step"])
        assert verdict.score == 1.0
        afresh = SimulatorWorld(simulator)  # which plays it again
        afresh.task(10000)
        assert afresh.first_success(rollout) == steps[-1]
    assert steps[0] == steps[1] is not None


def test_a_brief_world_shows_every_frame_to_a_policy_that_looks_back(
    simulator: Simulator,
) -> None:
    seen: list[list[Frames]] = []

    class Looking(RandomPolicy):
        needs = Needs(history=3)

        def act(self, states: Any, observations: Any) -> Any:
            seen.append([*observations[0].past, observations[0].frame])
            return super().act(states, observations)

    for brief in (False, True):
        world = SimulatorWorld(simulator, brief=brief)
        roll_out(world, Looking(METAWORLD_SPEC), [Trial(world.task(10000, 6), 0, 0)])
    assert len(seen) == 12 and np.array_equal(seen[:6], seen[6:])


def test_a_trial_that_ends_before_its_batch_is_judged_by_its_own_actions(
    simulator: Simulator, actions: Actions
) -> None:
    world = SimulatorWorld(simulator)
    tasks = [world.task(10000, 3), world.task(10001, 7)]
    recorded = {task.name: a for task, a in zip(tasks, actions, strict=True)}
    policy = ReplayPolicy(METAWORLD_SPEC, recorded, chunk=4)
    rollouts = roll_out(world, policy, [Trial(task, 0, 0) for task in tasks])
    assert [len(rollout.actions) for rollout in rollouts] == [3, 7]
    assert [world.first_success(rollout) for rollout in rollouts] == [None, None]


def test_a_frame_that_was_not_drawn_is_no_start(simulator: Simulator) -> None:
    world = SimulatorWorld(simulator)
    with pytest.raises(InputError, match="no start state of the simulator"):
        world.reset(np.zeros((1, 1, *world.frame_shape), np.uint8), [0])
