"""The Panda's simulator, its recorder, and both behind the world seam: same seed, same episode,
both cameras; branches by playing again. Skipped without robosuite (requirements-panda.txt)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from replay_policy import ReplayPolicy
from tiny_networks import PAIR_TRUNK

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.evaluation.rollout import roll_out
from worldgym.judges.classifier import ClassifierJudge, DecisionRule, JudgeConfig, JudgeNet
from worldgym.native.off_screen import mujoco_off_screen
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.reference.panda import PANDA_SPEC, VIEWS, PandaSimulator
from worldgym.reference.panda_record import PandaRecordConfig, record_panda, roll_out_panda
from worldgym.reference.simulator_world import SimulatorJudge, SimulatorWorld
from worldgym.testing import FakePolicy, FakeWorld
from worldgym.types import Actions, Frames, Trial
from worldgym.world.world_protocol import Given

with suppress(ModuleNotFoundError):
    mujoco_off_screen()  # before robosuite loads it with another renderer
pytest.importorskip("robosuite", reason="robosuite is not installed: requirements-panda.txt")
pytest.importorskip("mujoco", reason="the extra [reference] is not installed")

pytestmark = [pytest.mark.reference, pytest.mark.slow]


def test_a_seed_is_an_episode() -> None:
    simulator = PandaSimulator("lift", 48)
    first = roll_out_panda(simulator, "expert", 0)
    other = roll_out_panda(simulator, "expert", 1)
    again = roll_out_panda(simulator, "expert", 0)
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
    done = {seed: roll_out_panda(simulator, "expert", seed) for seed in (0, 1)}
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
    with pytest.raises(InputError, match="panda:lift: no start state of the simulator looks like"):
        world.reset(np.zeros_like(starts), [0, 1])

    policy = ReplayPolicy(PANDA_SPEC, {"lift/0": actions[0], "lift/1": np.zeros_like(actions[1])})
    for task, truth in zip(tasks, (True, False), strict=True):
        (rollout,) = roll_out(world, policy, [Trial(task, 0, 0)])
        assert rollout.views == VIEWS and bool(SimulatorJudge(world)(rollout, task).score) is truth
    simulator.close()


class Drawing(FakeWorld):
    """Draws a further view white."""

    def complete(self, frames: Frames, given: Given, seeds: Sequence[int]) -> Frames:
        return np.where(given[..., None, None, None], frames, np.uint8(255)).astype(np.uint8)


class Watching(FakePolicy):
    """Notes how bright the first wrist picture of each trial was."""

    seen: ClassVar[list[float]] = []

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        self.seen.extend(o.views["wrist"].mean() for o in observations if o.step == 0)
        return super().act(states, observations)


def test_loops_with_the_wrist_given_and_drawn(load_script: Callable[[str], ModuleType]) -> None:
    script = load_script("benchmarks/panda_loops.py")
    world = Drawing(PANDA_SPEC, (48, 48, 3), views=VIEWS)
    trunk = replace(PAIR_TRUNK, channels=12)
    net = JudgeNet(JudgeConfig((48, 48), 8, trunk, moments=2, views=VIEWS))
    policy = Watching(spec=PANDA_SPEC, needs=Needs(cameras=VIEWS), chunk=4)
    judge = ClassifierJudge(net, DecisionRule(0.0), "all succeed")
    (found,) = script.loops(world, judge, [policy], ["lift"], range(10_000, 10_002))
    assert found.truth == [False, False] and found.given == found.drawn == [True, True]
    assert found.row == "| lift | fake-policy | 0 | 2 | 2 | 2 |"
    # in the simulator one by one, then in the world
    simulated, given, drawn = (Watching.seen[i : i + 2] for i in (0, 2, 4))
    assert given == simulated and drawn == [255.0, 255.0]
