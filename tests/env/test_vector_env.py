"""The vector environment plays what `evaluate` plays, by Gymnasium's rules."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium", reason="the extra [gym] is not installed")
# ruff: noqa: E402
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from worldgym.env import REFERENCE, EnvConfig, WorldEnv, WorldVectorEnv
from worldgym.errors import InputError
from worldgym.evaluation.rollout import roll_out
from worldgym.evaluation.trials import plan_trials
from worldgym.policies.load_policy import load_policy
from worldgym.policies.own.action_bounds import PolicyFault
from worldgym.policies.policy_protocol import Policy
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Rollout, Task, Trial, Verdict
from worldgym.world.capabilities import Capabilities, Chunk

WORLD = FakeWorld()
EXAMPLE = Path(__file__).parents[2] / "examples" / "gym_env.py"


def tasks(*steps: int) -> list[Task]:
    frames = np.random.default_rng(0).integers(0, 256, (len(steps), *WORLD.frame_shape), np.uint8)
    return [Task(f"t{i}", "g", frames[i], f"do {i}", n) for i, n in enumerate(steps)]


@dataclass
class Counting:
    """Progress is the share of the task's steps; a video of `success` actions or more succeeds."""

    success: int = 99
    name: str = "counting"
    concurrency: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    seen: list[Rollout] = field(default_factory=list)

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        self.seen.append(rollout)
        steps = len(rollout.actions)
        return Verdict(float(steps >= self.success), self.name, progress=steps / task.steps)


def play(env: WorldVectorEnv, policy: Policy[Any], trials: Sequence[Trial]) -> list[np.ndarray]:
    """Newest frames of the main view [N, H, W, 3] of every step of one batch of trials."""
    env.reset(options={"trials": trials})
    memory = policy.reset(trials)
    frames = []
    for _ in range(0, max(trial.task.steps for trial in trials), policy.chunk):
        memory, chunk = policy.act(memory, env.observed(policy.needs))
        seen, *_ = env.step(chunk)
        frames.append(seen["views"]["main"])
    return frames


@pytest.mark.parametrize("chunk", [1, 3])
def test_frames_are_those_of_evaluate(chunk: int) -> None:
    policy = FakePolicy(chunk=chunk)
    trials = [Trial(task, 1, 7) for task in tasks(6, 6, 6)]
    env = WorldVectorEnv(WORLD, tasks(6, 6, 6), config=EnvConfig(3, chunk=chunk))
    frames = play(env, policy, trials)
    for r, rollout in enumerate(roll_out(WORLD, policy, trials)):
        drawn = [frame[r] for frame in frames]
        np.testing.assert_array_equal(drawn, rollout.main[chunk::chunk])


def test_the_plan_of_a_row_depends_on_no_other_row() -> None:
    def keys(lengths: tuple[int, ...]) -> list[str]:
        """Trials of the last of 3 rows."""
        env = WorldVectorEnv(WORLD, tasks(*lengths), config=EnvConfig(3))
        _, told = env.reset(seed=5)
        found = [str(told["trial"][2])]
        for _ in range(16):
            *_, told = env.step(env.action_space.sample())
            found += [str(told["trial"][2])] if told.get("_trial", [False] * 3)[2] else []
        return found

    assert keys((4, 4, 4, 4))[:4] == ["t2#0", "t1#1", "t0#2", "t3#2"]
    assert keys((1, 4, 4, 4))[:3] == keys((4, 4, 4, 4))[:3]


def test_a_row_begins_again_by_its_own_seed() -> None:
    suite = tasks(4, 4)
    env = WorldVectorEnv(WORLD, suite, config=EnvConfig(2))
    _, told = env.reset(seed=[7, np.int64(8)])
    assert told["seed"].tolist() == [Trial(suite[0], 0, 7).seed, Trial(suite[1], 0, 8).seed]
    _, told = env.reset(seed=[None, 9])  # the first row continues with its next trial
    assert list(told["trial"]) == ["t0#1", "t1#0"]
    assert told["seed"].tolist() == [Trial(suite[0], 1, 7).seed, Trial(suite[1], 0, 9).seed]
    _, told = env.reset(seed=1)
    assert told["seed"].tolist() == [Trial(task, 0, 1).seed for task in suite]
    with pytest.raises(InputError, match="1 seeds for 2 rows"):
        env.reset(seed=[3])


def test_next_step_takes_no_action_and_begins_the_next_trial() -> None:
    suite = tasks(2, 3)
    env = WorldVectorEnv(WORLD, suite, Counting(), EnvConfig(2))
    assert env.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    seen, told = env.reset(seed=1)
    assert env.observation_space.contains(seen) and list(told["trial"]) == ["t0#0", "t1#0"]
    assert told["seed"].tolist() == [Trial(task, 0, 1).seed for task in suite]
    ends = []
    for _ in range(4):
        seen, reward, terminated, truncated, told = env.step(env.action_space.sample())
        assert env.observation_space.contains(seen) and reward.dtype == np.float64
        ends.append((truncated.tolist(), "trial" in told))
        assert not terminated.any()
    assert ends == [
        ([False, False], False),
        ([True, False], False),
        ([False, True], True),
        ([False, False], True),
    ]
    assert [trial.key for trial in env.trials] == ["t0#1", "t1#1"]
    np.testing.assert_array_equal(seen["views"]["main"][1], suite[1].frame)


def test_same_step_gives_what_was_last_seen() -> None:
    env = WorldVectorEnv(
        WORLD, tasks(2, 3), Counting(), EnvConfig(2, autoreset=AutoresetMode.SAME_STEP)
    )
    env.reset(seed=1)
    env.step(env.action_space.sample())
    seen, _, _, truncated, told = env.step(env.action_space.sample())
    assert truncated.tolist() == [True, False] == told["_final_obs"].tolist()
    assert env.single_observation_space.contains(told["final_obs"][0])
    assert told["final_info"]["score"][0] == 0.0 and told["trial"][0] == "t0#1"
    np.testing.assert_array_equal(seen["views"]["main"][0], tasks(2)[0].frame)


def test_without_autoreset_rows_are_reset_by_a_mask() -> None:
    env = WorldVectorEnv(WORLD, tasks(2, 3), config=EnvConfig(2, autoreset=AutoresetMode.DISABLED))
    env.reset(seed=1)
    for _ in range(2):
        before, *_ = env.step(env.action_space.sample())
    with pytest.raises(InputError, match="row 0 is over"):
        env.step(env.action_space.sample())
    seen, told = env.reset(options={"reset_mask": np.array([True, False])})
    assert told["_trial"].tolist() == [True, False]
    np.testing.assert_array_equal(seen["views"]["main"][1], before["views"]["main"][1])
    with pytest.raises(InputError, match="reset_mask"):
        env.reset(options={"reset_mask": np.zeros(2, np.bool_)})


def test_the_return_is_the_score_and_progress_is_paid_before() -> None:
    judge = Counting(success=4)
    env = WorldVectorEnv(WORLD, tasks(4), judge, EnvConfig(1, judge_every=2))
    env.reset(seed=0)
    rewards = [float(env.step(env.action_space.sample())[1][0]) for _ in range(4)]
    assert rewards == [0.0, 0.5, 0.0, 0.5]
    assert [len(rollout.frames) for rollout in judge.seen] == [3, 5]


def test_a_look_that_finds_success_may_end_a_row() -> None:
    config = EnvConfig(2, judge_every=1, ends_on_success=True)
    env = WorldVectorEnv(WORLD, tasks(9, 9), Counting(success=2), config)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    _, reward, terminated, truncated, told = env.step(env.action_space.sample())
    assert terminated.all() and not truncated.any() and told["success"].all()
    assert reward == pytest.approx([1 - 1 / 9] * 2)


def test_what_is_not_scored_pays_nothing_and_says_why() -> None:
    @dataclass(frozen=True)
    class Silent(FakeJudge):
        def __call__(self, rollout: Rollout, task: Task) -> Verdict:
            return Verdict(None, self.name, "too dark")

    env = WorldVectorEnv(WORLD, tasks(1), Silent())
    env.reset(seed=0)
    _, reward, _, _, told = env.step(env.action_space.sample())
    assert reward[0] == 0.0 and told["unscored"][0] == "too dark" and "score" not in told


def test_actions_are_those_that_a_robot_can_take() -> None:
    env = WorldVectorEnv(WORLD, tasks(3))
    env.reset(seed=0)
    with pytest.raises(PolicyFault, match="not finite"):
        env.step(np.full((1, WORLD.spec.size), np.nan, np.float32))
    high = np.array([WORLD.spec.high], np.float32)
    outside, *_ = env.step(high + 0.5)
    env.reset(seed=0)
    inside, *_ = env.step(high)
    np.testing.assert_array_equal(outside["views"]["main"], inside["views"]["main"])


def test_a_single_row_passes_gymnasiums_check() -> None:
    env = WorldEnv(WORLD, tasks(3, 4), Counting(), EnvConfig(render_mode="rgb_array"))
    check_env(env, skip_render_check=True)
    drawn = env.render()
    assert drawn is not None and drawn.shape == WORLD.frame_shape


def test_all_views_of_a_world_are_observed() -> None:
    world = FakeWorld(views=("front", "wrist"))
    suite = [replace(task, others={"wrist": task.frame}) for task in tasks(3, 3)]
    env = WorldVectorEnv(world, suite, config=EnvConfig(2, chunk=3, render_mode="rgb_array"))
    env.reset(seed=2)
    action = env.action_space.sample()
    seen, *_ = env.step(action)
    assert env.observation_space.contains(seen) and list(seen["views"]) == ["front", "wrist"]
    state = world.reset(
        np.stack([[task.frame] * 2 for task in suite]), [t.seed for t in env.trials]
    )
    _, frames = world.step(state, np.clip(action, world.spec.low, world.spec.high))
    np.testing.assert_array_equal(seen["views"]["wrist"], frames[:, -1, 1])
    drawn = env.render()
    assert drawn is not None and drawn[0].shape == (16, 48, 3)


def test_numbers_of_the_arm_are_observed_where_a_task_says_where_it_starts() -> None:
    config = EnvConfig(state=("x", "gripper_open"))
    with pytest.raises(InputError, match='"state"'):
        WorldVectorEnv(WORLD, tasks(3), config=config)
    start = {"x": 0.25, "gripper_open": 0.0}
    env = WorldVectorEnv(WORLD, [replace(tasks(3)[0], state=start)], config=config)
    seen, _ = env.reset(seed=0)
    assert seen["state"].tolist() == [[0.25, 0.0]] and env.observation_space.contains(seen)
    action = np.zeros((1, WORLD.spec.size), np.float32)
    action[0, WORLD.spec.names.index("x")] = WORLD.spec.high[0]
    seen, *_ = env.step(action)
    assert seen["state"][0, 0] > 0.25


def test_a_world_of_fixed_chunks_takes_no_other() -> None:
    world = FakeWorld(capabilities=Capabilities(chunk=Chunk.exactly(4)))
    with pytest.raises(InputError, match="chunk of 4"):
        WorldVectorEnv(world, tasks(8))
    env = WorldVectorEnv(world, tasks(8), config=EnvConfig(chunk=4))
    env.reset(seed=0)
    env.step(env.action_space.sample())
    assert env.step(env.action_space.sample())[3].all()


@pytest.mark.parametrize(
    ("can", "rows"),
    [
        (Capabilities(seeds="batch"), 2),
        (Capabilities(branching="latest"), 2),
        (Capabilities(batch=3), 4),
    ],
)
def test_rows_that_would_depend_on_each_other_are_refused(can: Capabilities, rows: int) -> None:
    world = FakeWorld(capabilities=can)
    with pytest.raises(InputError, match=f"num_envs is {rows}: give {rows - 1}"):
        WorldVectorEnv(world, tasks(4), config=EnvConfig(rows))
    WorldVectorEnv(world, tasks(4), config=EnvConfig(rows - 1)).reset(seed=0)


def test_trials_that_a_caller_gives_must_fit_too() -> None:
    """As those of the plan must, before anything is drawn."""
    world = FakeWorld(capabilities=Capabilities(chunk=Chunk.exactly(4)))
    env = WorldVectorEnv(world, tasks(8), config=EnvConfig(1, chunk=4))
    (short,) = tasks(6)
    with pytest.raises(InputError, match="does not take task t0 of 6 steps by 4"):
        env.reset(options={"trials": [Trial(short, 0, 1)]})
    standing = replace(tasks(4)[0], state={"x": 0.0})
    env = WorldVectorEnv(WORLD, [standing], config=EnvConfig(state=("x",)))
    with pytest.raises(InputError, match="t0"):
        env.reset(options={"trials": [Trial(tasks(4)[0], 0, 1)]})


def test_the_bundled_world_by_name_plays_what_evaluate_plays() -> None:
    envs = gymnasium.make_vec(REFERENCE, num_envs=2)
    assert isinstance(envs, WorldVectorEnv)
    trials = plan_trials([replace(task, steps=3) for task in envs.tasks[:2]], 2, 3)[:2]
    policy = load_policy("bc-large", envs.world.spec)
    frames = play(envs, policy, trials)
    for r, rollout in enumerate(roll_out(envs.world, policy, trials)):
        np.testing.assert_array_equal([frame[r] for frame in frames], rollout.main[1:])
    told = envs.step(np.zeros((2, envs.world.spec.size), np.float32))[-1]
    assert "score" not in told and told["trial"][0]  # all rows were over, and begin again


def test_the_example_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gym_env.py", "2", "4"])
    source = EXAMPLE.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 40
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    speed, *scores = capsys.readouterr().out.splitlines()
    assert "frames per second" in speed and len(scores) == 2


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (EXAMPLE.parents[1] / "docs" / "gymnasium.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(compile(block, "<page>", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out.strip() == block.splitlines()[-1].rpartition("  # ")[2]


@dataclass(frozen=True)
class Checking(FakeJudge):
    """Knows what two of the tasks ask."""

    def check(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            if task.name not in ("t0", "t1"):
                raise InputError(f"no rubric for {task.name}")


def test_trials_of_other_tasks_must_be_in_the_space_and_known_to_the_judge() -> None:
    (own,) = tasks(3)
    env = WorldVectorEnv(WORLD, [own], Checking())
    seen, _ = env.reset(options={"trials": [Trial(replace(own, name="t1"), 0, 1)]})
    assert env.observation_space.contains(seen)
    for text in ("do zzz", "do 0 0 0 0"):
        with pytest.raises(InputError, match=f'task t1 asks "{text}", which is outside'):
            env.reset(options={"trials": [Trial(replace(own, name="t1", instruction=text), 0, 1)]})
    with pytest.raises(InputError, match="no rubric for t2"):
        env.reset(options={"trials": [Trial(replace(own, name="t2"), 0, 1)]})


def test_the_return_is_nothing_where_the_end_is_not_scored() -> None:
    """What was paid for progress on the way is taken back."""

    class Fading(Counting):
        def __call__(self, rollout: Rollout, task: Task) -> Verdict:
            if len(rollout.actions) == task.steps:
                return Verdict(None, self.name, "too dark")
            return super().__call__(rollout, task)

    env = WorldVectorEnv(WORLD, tasks(4), Fading(), EnvConfig(1, judge_every=1))
    env.reset(seed=0)
    rewards = [float(env.step(env.action_space.sample())[1][0]) for _ in range(4)]
    assert rewards == [0.25, 0.25, 0.25, -0.75]
