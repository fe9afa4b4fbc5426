"""The expert reaches its goal in a sketch of the physics, its faults spoil that, and a seed gives
the same moves; needs no simulator."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest

from worldgym.reference.panda import PANDA_SPEC, PANDA_TASKS, PandaStep
from worldgym.reference.panda_experts import PANDA_MIX, UNIT, behaviour_of, panda_mover

FRAMES = np.zeros((2, 4, 4, 3), np.uint8)


class Played(NamedTuple):
    """actions [T, 7], hand and thing [T + 1, 3], held bool [T + 1]."""

    actions: np.ndarray
    hand: np.ndarray
    thing: np.ndarray
    held: np.ndarray


def play(task: str, behaviour: str, seed: int) -> Played:
    """The hand goes where it is told, half of the way that an action stands for; its fingers open
    and close by a tenth an action, and what they close on goes with it, and falls where they
    open."""
    hand, opened = np.array([0.0, 0.0, 1.0]), 0.5
    lies, goal = np.array([0.05, -0.04, 0.83]), np.array([0.12, 0.1, 0.83])
    thing, held = lies.copy(), False
    act = panda_mover(task, behaviour, seed)
    seen = [(hand, thing, held)]
    actions = []
    for _ in range(PANDA_TASKS[task].steps):
        positions = {"hand": hand.copy(), "object": thing.copy(), "goal": goal}
        action = act(PandaStep(FRAMES, np.zeros(8, np.float32), positions, False))
        actions.append(action)
        hand = hand + 0.5 * UNIT * action[:3]
        opened = float(np.clip(opened - 0.1 * action[6], 0.5 if held else 0.0, 1.0))
        near = np.linalg.norm(hand - thing) < 0.018
        held = (held or (near and action[6] > 0)) and opened < 0.55
        thing = hand.copy() if held else np.array([*thing[:2], min(thing[2], 0.88)])
        seen.append((hand, thing, held))
    return Played(np.stack(actions), *(np.stack(part) for part in zip(*seen, strict=True)))


@pytest.mark.parametrize("task", list(PANDA_TASKS))
def test_the_expert_lifts_or_carries_and_faults_do_not(task: str) -> None:
    played = play(task, "expert", 3)
    actions, thing = played.actions, played.thing[-1]
    low, high = np.array(PANDA_SPEC.low), np.array(PANDA_SPEC.high)
    assert actions.dtype == np.float32 and ((low <= actions) & (actions <= high)).all()
    if task == "lift":
        assert thing[2] > 0.9
    else:
        assert np.abs(thing[:2] - (0.12, 0.1)).max() < 0.03
    for fault in ("beside", "above"):
        lying = play(task, fault, 4).thing[-1]
        assert np.abs(lying[:2] - (0.05, -0.04)).max() < 0.02, fault
    again = play(task, "noisy", 5).actions
    np.testing.assert_array_equal(again, play(task, "noisy", 5).actions)
    assert not np.array_equal(again, play(task, "noisy", 6).actions)


@pytest.mark.parametrize("task", ["stack", "can"])
@pytest.mark.parametrize("fault", ["beside", "above", "lets-go"])
def test_a_hand_without_its_object_carries_on_as_if_it_held_it(task: str, fault: str) -> None:
    """It does not follow the object that it left behind, out of reach."""
    for seed in range(4):
        played = play(task, fault, seed)
        assert np.abs(played.hand[:, :2]).max() < 0.12 + 0.06, seed
        assert np.abs(played.hand[-1, :2] - (0.12, 0.1)).max() < 0.07, seed


@pytest.mark.parametrize("task", ["stack", "can"])
def test_the_expert_lets_go_before_it_rises(task: str) -> None:
    played = play(task, "expert", 3)
    let_go = int(np.flatnonzero(played.held)[-1]) + 1
    assert let_go < len(played.hand) - 1
    assert played.hand[let_go, 2] - played.hand[let_go - 4 : let_go, 2].min() < 0.005


def test_a_block_of_seeds_has_the_mix() -> None:
    size = sum(PANDA_MIX.values())
    assert Counter(behaviour_of(seed) for seed in range(size)) == Counter(PANDA_MIX)
    assert behaviour_of(7) == behaviour_of(7 + size)
