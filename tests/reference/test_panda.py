"""The Panda's simulator, its recorder, and both behind the world seam: same seed, same episode,
both cameras; branches by playing again. Skipped without robosuite (requirements-panda.txt)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.evaluation.rollout import roll_out
from worldgym.policies.own.scripted import ReplayPolicy
from worldgym.reference.panda import PANDA_SPEC, VIEWS, PandaSimulator
from worldgym.reference.panda_record import PandaRecordConfig, play_panda, record_panda
from worldgym.reference.simulator_world import SimulatorJudge, SimulatorWorld
from worldgym.types import Trial

# behind the module that says how to render, for it must be said before mujoco is loaded
pytest.importorskip("robosuite", reason="robosuite is not installed: requirements-panda.txt")
pytest.importorskip("mujoco", reason="the extra [reference] is not installed")

pytestmark = [pytest.mark.reference, pytest.mark.slow]


def test_a_seed_is_an_episode() -> None:
    simulator = PandaSimulator("lift", 48)
    first = play_panda(simulator, "expert", 0)
    other = play_panda(simulator, "expert", 1)
    again = play_panda(simulator, "expert", 0)
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.actions, again.actions)
    assert not np.array_equal(first.frames[0], other.frames[0])
    assert first.views == VIEWS and first.frames.shape == (41, 2, 48, 48, 3)
    assert first.success and first.spec == PANDA_SPEC and first.states is not None
    simulator.close()


def test_recording_resumes(tmp_path: Path) -> None:
    config = PandaRecordConfig(tmp_path, 2, 0, ("lift",), 48, 1)
    store = record_panda(config)
    assert [info.name for info in store] == ["lift-00000", "lift-00001"]
    before = store.video("lift-00000", "wrist").stat().st_mtime_ns
    assert len(record_panda(PandaRecordConfig(tmp_path, 3, 0, ("lift",), 48, 1))) == 3
    assert EpisodeStore(tmp_path).video("lift-00000", "wrist").stat().st_mtime_ns == before


def test_a_world_of_two_views_is_the_simulator() -> None:
    simulator = PandaSimulator("lift", 48)
    done = {seed: play_panda(simulator, "expert", seed) for seed in (0, 1)}
    world = SimulatorWorld(simulator)
    assert (world.name, world.views, world.spec) == ("panda:lift", VIEWS, PANDA_SPEC)
    tasks = [world.task(seed, 40) for seed in done]
    assert [task.name for task in tasks] == ["lift/0", "lift/1"] and tasks[0].others.keys() == {
        "wrist"
    }
    starts = np.stack([np.stack([task.frame, task.others["wrist"]]) for task in tasks])
    state = world.reset(starts, [0, 1])
    actions = np.stack([episode.actions for episode in done.values()])
    middle, first = world.step(state, actions[:, :7])
    world.step(middle, actions[:, :2])  # a detour
    _, rest = world.step(middle, actions[:, 7:])
    played = np.concatenate([first, rest], axis=1)
    for row, episode in zip(played, done.values(), strict=True):
        np.testing.assert_array_equal(row, episode.frames[1:])
    with pytest.raises(InputError, match="panda:lift: no start state was drawn that looks like"):
        world.reset(np.zeros_like(starts), [0, 1])

    policy = ReplayPolicy(PANDA_SPEC, {"lift/0": actions[0], "lift/1": np.zeros_like(actions[1])})
    for task, truth in zip(tasks, (True, False), strict=True):
        (rollout,) = roll_out(world, policy, [Trial(task, 0, 0)])
        assert rollout.views == VIEWS and bool(SimulatorJudge(world)(rollout, task).score) is truth
    simulator.close()
