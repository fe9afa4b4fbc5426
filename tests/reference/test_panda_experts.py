"""The expert reaches its goal in a sketch of the physics, its faults spoil that, and a seed gives
the same moves; needs no simulator."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from worldgym.reference.panda import PANDA_SPEC, PANDA_TASKS, PandaStep
from worldgym.reference.panda_experts import PANDA_MIX, UNIT, behaviour_of, panda_mover

FRAMES = np.zeros((2, 4, 4, 3), np.uint8)


def play(task: str, behaviour: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The hand goes where it is told; what it closes on goes with it, and falls where it opens.
    => (actions [T, 7], where the object ends)."""
    hand = np.array([0.0, 0.0, 1.0])
    lies, goal = np.array([0.05, -0.04, 0.83]), np.array([0.12, 0.1, 0.83])
    thing, held, actions = lies.copy(), False, []
    act = panda_mover(task, behaviour, seed)
    for _ in range(PANDA_TASKS[task].steps):
        seen = {"hand": hand.copy(), "object": thing.copy(), "goal": goal}
        action = act(PandaStep(FRAMES, np.zeros(8, np.float32), seen, False))
        actions.append(action)
        hand = hand + UNIT * action[:3]
        near = np.linalg.norm(hand - thing) < 0.018
        held = action[6] > 0 and (held or near)
        thing = hand.copy() if held else np.array([*thing[:2], min(thing[2], 0.88)])
    return np.stack(actions), thing


@pytest.mark.parametrize("task", list(PANDA_TASKS))
def test_the_expert_lifts_or_carries_and_faults_do_not(task: str) -> None:
    actions, thing = play(task, "expert", 3)
    low, high = np.array(PANDA_SPEC.low), np.array(PANDA_SPEC.high)
    assert actions.dtype == np.float32 and ((low <= actions) & (actions <= high)).all()
    if task == "lift":
        assert thing[2] > 0.9
    else:
        assert np.abs(thing[:2] - (0.12, 0.1)).max() < 0.03
    for fault in ("beside", "above"):
        _, lying = play(task, fault, 4)
        assert np.abs(lying[:2] - (0.05, -0.04)).max() < 0.02, fault
    again, _ = play(task, "noisy", 5)
    np.testing.assert_array_equal(again, play(task, "noisy", 5)[0])
    assert not np.array_equal(again, play(task, "noisy", 6)[0])


def test_a_block_of_seeds_has_the_mix() -> None:
    size = sum(PANDA_MIX.values())
    assert Counter(behaviour_of(seed) for seed in range(size)) == Counter(PANDA_MIX)
    assert behaviour_of(7) == behaviour_of(7 + size)
