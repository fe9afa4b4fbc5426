"""Control arms on a world that obeys: what the judge reads off it is the last action, so every
floor is known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from worldgym.testing import FAKE_SPEC, FakeJudge, FakeWorld
from worldgym.trust.controls import (
    PLAYED,
    Truth,
    control_floors,
    controlled,
    floors_of,
    held,
    not_played,
    undone,
)
from worldgym.trust.kept_scores import KeptScores
from worldgym.trust.rollout_replay import ReplayOptions
from worldgym.types import ActionSpec, Rollout

MakeRollout = Callable[..., Rollout]
OPTIONS = ReplayOptions()
SPEC = replace(FAKE_SPEC, mode="absolute_pose")
ACTIONS = np.array([[0.1, 0.2, 1.0], [0.3, 0.4, -1.0]], np.float32)


def test_no_motion_leaves_the_gripper_alone() -> None:
    np.testing.assert_array_equal(held(ACTIONS, FAKE_SPEC), [[0, 0, 1], [0, 0, -1]])
    np.testing.assert_array_equal(
        held(ACTIONS, SPEC), ACTIONS[[0, 0]] * [1, 1, 0] + ACTIONS * [0, 0, 1]
    )


def test_a_motion_undone_returns_to_its_start() -> None:
    back = undone(ACTIONS, FAKE_SPEC)
    np.testing.assert_allclose((ACTIONS + back)[:, :2].sum(0), 0.0, atol=1e-7)
    np.testing.assert_array_equal(back[:, 2], ACTIONS[::-1, 2])
    np.testing.assert_array_equal(undone(ACTIONS, SPEC), ACTIONS[::-1])


def test_grippers_are_known_by_the_end_of_their_names() -> None:
    two = replace(SPEC, names=("left_joint", "left_gripper", "right_gripper"))
    moving = replace(two, mode="joint_velocity")
    np.testing.assert_array_equal(held(ACTIONS, two)[:, 1:], ACTIONS[:, 1:])
    np.testing.assert_array_equal(held(ACTIONS, moving), ACTIONS * [0, 1, 1])
    np.testing.assert_array_equal(undone(ACTIONS, moving), ACTIONS[::-1] * [-1, 1, 1])


def test_a_turn_by_a_quaternion_is_undone_by_its_inverse() -> None:
    names = ("qx", "qy", "qz", "qw")
    spec = ActionSpec(names, "delta_pose", "1 m", "quaternion", "none", (-1,) * 4, (1,) * 4, 5)
    turns = Rotation.from_rotvec([[0.1, 0.2, 0.3], [0.0, -0.4, 0.1]]).as_quat().astype(np.float32)
    still = Rotation.from_quat(held(turns, spec))
    np.testing.assert_allclose(still.magnitude(), 0.0, atol=1e-6)
    back = Rotation.from_quat(undone(turns, spec))
    there = Rotation.from_quat(turns)
    whole = back[1] * back[0] * there[1] * there[0]
    assert whole.magnitude() == pytest.approx(0.0, abs=1e-6)


def test_a_single_rollout_has_no_other_s_actions(make_rollout: MakeRollout) -> None:
    """Its own would pass for a success of actions that cannot do the task."""
    rollouts = [make_rollout("a/0", 0.9)]
    floors = control_floors(FakeWorld(), FakeJudge(threshold=0.6), rollouts, OPTIONS, KeptScores())
    assert [floor.arm for floor in floors] == ["null", "reversed"]


def test_arms_that_rollouts_lack_are_named() -> None:
    rows = [
        {"source": "policies", "arm": arm, "trials": trials, "unscored": 1}
        for arm, trials in (("null", 4), ("null", 2), ("shuffled", 6), ("displaced", 3))
    ]
    metric = replace(FAKE_SPEC, unit="0.05 m")
    (line,) = not_played(rows, metric)
    assert "displaced (policies)" in line and "in 4 of 8 rollouts" in line
    assert not_played(rows, replace(FAKE_SPEC, mode="joint_velocity")) == []
    (alone,) = not_played(rows[:1], replace(FAKE_SPEC, mode="joint_velocity"))
    assert alone == "control arm shuffled (policies): it needs two or more rollouts"


@pytest.mark.parametrize("count", [2, 3, 7])
def test_shuffled_actions_are_always_another_ones(make_rollout: MakeRollout, count: int) -> None:
    rollouts = [make_rollout(f"a/{i}", 0.1 * i, steps=3 + i % 2) for i in range(count)]
    swapped = controlled("shuffled", rollouts, FAKE_SPEC)
    assert all(
        mine.actions[0, 0] != theirs.actions[0, 0]
        for mine, theirs in zip(rollouts, swapped, strict=True)
    )
    assert sorted(float(r.actions[0, 0]) for r in swapped) == sorted(
        float(r.actions[0, 0]) for r in rollouts
    )
    assert [len(r.actions) for r in swapped] == [len(r.actions) for r in rollouts]


def test_floors_of_a_world_that_obeys(make_rollout: MakeRollout) -> None:
    """The judge wants the first number at or above 0.2: holding still and undoing fail, the gripper
    cannot help."""
    rollouts = [
        make_rollout(f"{group}/{i}", level)
        for group, level in (("a", 0.9), ("b", 0.5))
        for i in range(3)
    ]
    floors = control_floors(
        FakeWorld(), FakeJudge(threshold=0.6), rollouts, ReplayOptions(batch=4), KeptScores()
    )
    assert [(f.arm, f.group) for f in floors] == [
        (arm, g) for arm in ("null", "shuffled", "reversed") for g in "ab"
    ]
    rates = {(f.arm, f.group): f.rate.value for f in floors}
    assert (
        rates["null", "a"] == rates["reversed", "b"] == 0.0
        and rates["shuffled", "a"] == rates["shuffled", "b"] == 1.0
    )
    # Wilson's interval of 0 of 3
    assert floors[0].rate.trials == 3 and 0.5 < floors[0].rate.high < 0.6


def test_what_the_judge_declines_is_counted_apart(make_rollout: MakeRollout) -> None:
    floor = control_floors(
        FakeWorld(),
        FakeJudge(threshold=0.5, band=0.2),
        [make_rollout("a/1", 0.9)],
        ReplayOptions(),
        KeptScores(),
        ("null",),
    )[0]
    assert (floor.rate.trials, floor.unscored, floor.rate.value) == (0, 1, None)


def test_only_successes_that_did_not_happen_count_where_the_truth_is_known(
    make_rollout: MakeRollout,
) -> None:
    rollouts = [make_rollout(f"a/{i}", 0.9) for i in range(4)]

    def truth(replayed: Sequence[Rollout]) -> list[bool | None]:
        return [name == "a/0" if name != "a/3" else None for name in map(_name, replayed)]

    known_truth = Truth(truth, lambda policies, tasks: {})
    judge = FakeJudge(threshold=0.6)
    arms = ("null", "shuffled")
    floors = control_floors(FakeWorld(), judge, rollouts, OPTIONS, KeptScores(), arms, known_truth)
    assert [floor.rate.value for floor in floors] == [0.0, 1.0]
    known = [floor.false for floor in floors if floor.false is not None]
    assert [(rate.successes, rate.trials) for rate in known] == [(0.0, 3), (2.0, 3)]
    (unknown,) = floors_of("null", rollouts, [0.0, 1.0, 1.0, None])
    assert unknown.false is None and (unknown.rate.trials, unknown.unscored) == (3, 1)


def test_a_displaced_motion_is_played_only_where_it_is_known_how_far_that_is(
    make_rollout: MakeRollout,
) -> None:
    rollouts = [make_rollout(f"a/{i}", 0.2, steps=12) for i in range(3)]
    rollouts.append(make_rollout("a/3", 1.0, steps=12))  # no room left to the side
    metric = replace(FAKE_SPEC, unit="0.05 m")
    moved = controlled("displaced", rollouts, metric)
    assert [r.trial.task.name for r in moved] == ["a/0", "a/1", "a/2"]
    for before, after in zip(rollouts, moved, strict=False):
        gone = (after.actions - before.actions)[:, :2].sum(0) * 0.05
        assert float(np.hypot(*gone)) == pytest.approx(0.1, abs=1e-5)
    judge = FakeJudge(threshold=0.6)
    arms = {
        f.arm for f in control_floors(FakeWorld(metric), judge, rollouts, OPTIONS, KeptScores())
    }
    assert arms == set(PLAYED)
    nobody_knows = FakeWorld(replace(FAKE_SPEC, unit="as published"))
    arms = {f.arm for f in control_floors(nobody_knows, judge, rollouts, OPTIONS, KeptScores())}
    assert arms == set(PLAYED) - {"displaced"}


def _name(rollout: Rollout) -> str:
    return rollout.trial.task.name
