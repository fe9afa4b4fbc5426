"""The recorded mix is what it says, repeats by seed, and needs no simulator."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.reference.behaviours import (
    MIXES,
    Action,
    State,
    behaviour_name,
    expert_of,
    make_behaviour,
)
from worldgym.reference.disturbed import OBJECT
from worldgym.reference.reference_tasks import (
    FIRST_HELD_OUT_SEED,
    METAWORLD_SPEC,
    STEPS,
    TASKS,
    check_tasks,
)


class Expert:
    """Points at the object and closes; asks for more than the bounds allow, as the package's
    experts do."""

    def get_action(self, state: State) -> State:
        return np.append(10.0 * (state[OBJECT] - state[:3]), 1.0)


STATE = np.concatenate([[0.0, 0.6, 0.2, 1.0], [0.1, 0.7, 0.1], np.zeros(32)])


def actions(name: str, task: str = "drawer-open", seed: int = 3) -> Action:
    """[STEPS, 4]: what a behaviour does in front of an unmoving scene."""
    act = make_behaviour(name, task, seed, Expert())
    return np.stack([act(STATE, step) for step in range(STEPS)])


@pytest.mark.parametrize("mix", MIXES)
def test_a_block_of_seeds_holds_the_mix(mix: str) -> None:
    block = sum(MIXES[mix].values())
    for first in (0, block, 7 * block):
        assert (
            Counter(behaviour_name(seed, mix) for seed in range(first, first + block)) == MIXES[mix]
        )


def test_behaviours_are_spread_over_the_seeds() -> None:
    assert len({behaviour_name(seed) for seed in range(30)}) == len(MIXES["varied"])


@pytest.mark.parametrize("name", [name for mix in MIXES.values() for name in mix])
def test_actions_lie_in_the_spec_and_repeat(name: str) -> None:
    first = actions(name)
    assert first.dtype == np.float32 and first.shape == (STEPS, METAWORLD_SPEC.size)
    assert np.all(np.abs(first) <= 1.0)
    np.testing.assert_array_equal(first, actions(name))


@pytest.mark.parametrize(
    "name",
    [
        "noisy-0.3",
        "misplaced",
        "slow",
        "random",
        "grazing",
        "drifting",
        "hesitating",
        "as-window-close",
    ],
)
def test_seed_and_task_both_matter(name: str) -> None:
    assert not np.array_equal(actions(name), actions(name, seed=4))
    assert not np.array_equal(actions(name), actions(name, task="door-open"))


def test_an_arm_at_another_task_asks_the_other_tasks_expert() -> None:
    assert expert_of("as-window-close", "window-open") == "window-close"
    assert (
        expert_of("noisy-0.3", "window-open") == expert_of("random", "window-open") == "window-open"
    )
    assert {expert_of(name, "door-open") for name in MIXES["other-task"]} == set(TASKS)


def test_more_noise_strays_further() -> None:
    expert = actions("expert")
    strays = [np.abs(actions(f"noisy-{sd}") - expert).mean() for sd in ("0.3", "0.6", "1.0")]
    assert 0.0 < strays[0] < strays[1] < strays[2]


def test_grazing_strays_and_hesitation_pauses() -> None:
    expert = actions("expert")
    assert all(np.abs(actions("grazing", seed=seed) - expert).mean() > 0 for seed in range(5))
    paused = actions("hesitating")
    still = (paused == 0).all(1)
    assert 3 <= still.sum() <= 16
    np.testing.assert_array_equal(paused[~still], expert[~still])


def test_misplaced_believes_the_object_3_to_9_cm_off_on_the_table() -> None:
    believed: list[State] = []

    class Watching(Expert):
        def get_action(self, state: State) -> State:
            believed.append(state)
            return np.zeros(4)

    for seed in range(50):
        make_behaviour("misplaced", "drawer-open", seed, Watching())(STATE, 0)
    offsets = np.stack(believed)[:, OBJECT] - STATE[OBJECT]
    distances = np.linalg.norm(offsets, axis=1)
    assert np.all((distances > 0.0299) & (distances < 0.0901))
    np.testing.assert_array_equal(offsets[:, 2], 0.0)
    assert np.std(np.arctan2(offsets[:, 1], offsets[:, 0])) > 1.0


def test_slow_shortens_the_path_and_keeps_the_gripper() -> None:
    slow, expert = actions("slow"), actions("expert")
    np.testing.assert_array_equal(slow[:, 3], expert[:, 3])
    ratio = slow[:, :3] / expert[:, :3]
    assert np.allclose(ratio, ratio[0, 0]) and 0.4 <= ratio[0, 0] <= 0.7


def test_quit_stops_for_good_between_an_eighth_and_a_half() -> None:
    for seed in range(20):
        active = np.any(actions("quit", seed=seed) != 0.0, axis=1)
        last = int(active.sum())
        assert STEPS // 8 <= last < STEPS // 2
        assert active[:last].all()


def test_random_holds_a_direction_for_some_steps() -> None:
    gripper = np.concatenate([np.sign(actions("random", seed=seed)[:, 3]) for seed in range(10)])
    assert 0.05 < np.mean(gripper[1:] != gripper[:-1]) < 0.35


def test_an_unknown_behaviour_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown behaviour 'lazy': one of expert"):
        make_behaviour("lazy", "drawer-open", 0, Expert())


def test_the_suite() -> None:
    assert len(TASKS) >= 9
    assert list(TASKS)[2::5] == [
        "button-press",
        "faucet-close",
    ]  # behaviours draw from a task's place: it must not change
    assert all(
        task.name == name and task.instruction and task.partial_credit
        for name, task in TASKS.items()
    )
    assert len({task.instruction for task in TASKS.values()}) == len(TASKS)
    check_tasks(TASKS)
    with pytest.raises(InputError, match=r'no task "fly": one of drawer-open, .*faucet-open'):
        check_tasks(["drawer-open", "fly"])
    assert FIRST_HELD_OUT_SEED == 10_000
    assert len(METAWORLD_SPEC.low) == len(METAWORLD_SPEC.high) == METAWORLD_SPEC.size == 4
