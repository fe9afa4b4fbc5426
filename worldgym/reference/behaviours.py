"""Who moves the arm in recorded episodes: experts, disturbed experts, and motions without a goal. A
world model trained only on successes is optimistic, so about a third of the varied mix fails.
Imitation policies fail differently than a disturbed expert: they miss a handle by a little, drift,
stall, try again. A world that never saw this opens the door anyway; the near misses are for that.
And a policy may do the wrong task: if no recording closes a window that should be opened, a judge
calls every passing arm a success. Deterministic by (task, seed)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.episodes.store_index import EpisodeInfo
from worldgym.reference.disturbed import DISTURBED, make_disturbed, moved_object
from worldgym.reference.reference_tasks import STEPS, TASKS

State = npt.NDArray[np.float64]
Action = npt.NDArray[np.float32]
Behaviour = Callable[[State, int], Action]  # (state, step) -> action [4]

# begins the behaviour of an arm that does another task; that task's name follows
OTHER_TASK = "as-"
# begins the behaviour of an episode whose actions come from a closed loop in a learned world; the
# word is that of the stores that exist
CLOSED_LOOP = "dreamt-"

# Episodes in a block; a recording of any length cycles through a fixed shuffle of one block.
MIXES: dict[str, dict[str, int]] = {
    "varied": {
        "expert": 30,
        "noisy-0.3": 20,
        "noisy-0.6": 20,
        "noisy-1.0": 20,
        "misplaced": 20,
        "slow": 10,
        "quit": 10,
        "random": 20,
    },
    "near-misses": {"grazing": 40, "drifting": 40, "hesitating": 20},
    "other-task": {f"{OTHER_TASK}{task}": 1 for task in TASKS},
    "disturbed": {name: 10 for name in DISTURBED},
}


def is_closed_loop(info: EpisodeInfo) -> bool:
    """Whether a recorded episode's actions come from a closed loop in a learned world."""
    return str(info.extras.get("behaviour")).startswith(CLOSED_LOOP)


def behaviour_name(seed: int, mix: str = "varied") -> str:
    """The behaviour that a seed stands for: a fixed shuffle of the mix, repeated."""
    block = [name for name, count in MIXES[mix].items() for _ in range(count)]
    return block[int(np.random.default_rng(0).permutation(len(block))[seed % len(block)])]


def make_behaviour(name: str, task: str, seed: int, expert: Any) -> Behaviour:
    """A behaviour with its own random numbers. `expert` has `get_action(state)`; it is that of
    `expert_of(name, task)`."""
    rng = np.random.default_rng([list(TASKS).index(task), seed])

    def from_expert(state: State) -> Action:
        return _clip(expert.get_action(state))

    if name == "expert":
        return lambda state, step: from_expert(state)
    if name.startswith("noisy-"):
        sd = float(name.removeprefix("noisy-"))
        return lambda state, step: _clip(from_expert(state) + rng.normal(0.0, sd, 4))
    if name in FAULTS:
        return FAULTS[name](rng, from_expert)
    if name in DISTURBED:
        disturbed = make_disturbed(name, rng, expert.get_action)
        return lambda state, step: _clip(disturbed(state, step))
    if name.startswith(OTHER_TASK):  # it takes this task's object for its own
        offset = rng.normal(0.0, 0.02, 3)
        sd = rng.uniform(0.0, 0.5)
        return lambda state, step: _clip(
            expert.get_action(moved_object(state, offset)) + rng.normal(0.0, sd, 4)
        )
    if name == "random":
        return _random_walk(rng)
    raise ValueError(
        f"unknown behaviour {name!r}: one of "
        f"{', '.join(known for mix in MIXES.values() for known in mix)}"
    )


def expert_of(name: str, task: str) -> str:
    """The task whose expert a behaviour asks."""
    return name.removeprefix(OTHER_TASK) if name.startswith(OTHER_TASK) else task


def given_actions(actions: npt.NDArray[np.float32]) -> Behaviour:
    """Actions [T, 4] that are known beforehand."""
    return lambda state, step: actions[step]


def _misplace(rng: np.random.Generator, expert: Callable[[State], Action]) -> Behaviour:
    angle = rng.uniform(0.0, 2.0 * np.pi)
    distance = rng.uniform(0.03, 0.09)
    offset = distance * np.array([np.cos(angle), np.sin(angle), 0.0])
    return lambda state, step: expert(moved_object(state, offset))


def _graze(rng: np.random.Generator, expert: Callable[[State], Action]) -> Behaviour:
    direction = rng.normal(0.0, 1.0, 3)
    offset = rng.uniform(0.01, 0.045) * direction / np.linalg.norm(direction)
    return lambda state, step: expert(moved_object(state, offset))


def _hesitate(rng: np.random.Generator, expert: Callable[[State], Action]) -> Behaviour:
    starts = rng.integers(STEPS // 8, STEPS * 3 // 4, 2)
    pause = int(rng.integers(3, 9))
    return lambda state, step: (
        np.zeros(4, np.float32) if any(0 <= step - s < pause for s in starts) else expert(state)
    )


def _slow_down(rng: np.random.Generator, expert: Callable[[State], Action]) -> Behaviour:
    speed = rng.uniform(0.4, 0.7)
    return lambda state, step: _clip(expert(state) * [speed, speed, speed, 1.0])


def _stop_early(rng: np.random.Generator, expert: Callable[[State], Action]) -> Behaviour:
    last = int(rng.integers(STEPS // 8, STEPS // 2))
    return lambda state, step: expert(state) if step < last else np.zeros(4, np.float32)


def _drift(rng: np.random.Generator, expert: Callable[[State], Action]) -> Behaviour:
    """An error that lasts for about seven steps: a smooth motion that is slightly wrong."""
    error = np.zeros(4)
    sd = rng.uniform(0.3, 0.8)

    def act(state: State, step: int) -> Action:
        nonlocal error
        error = 0.85 * error + rng.normal(0.0, sd * np.sqrt(1 - 0.85**2), 4) * [1.0, 1.0, 1.0, 0.0]
        return _clip(expert(state) + error)

    return act


# an expert with one fault
FAULTS: dict[str, Callable[[np.random.Generator, Callable[[State], Action]], Behaviour]] = {
    "misplaced": _misplace,
    "grazing": _graze,
    "drifting": _drift,
    "hesitating": _hesitate,
    "slow": _slow_down,
    "quit": _stop_early,
}


def _random_walk(rng: np.random.Generator) -> Behaviour:
    """Waypoint-less wandering: a direction held 3-10 steps, biased downwards to where the objects
    are."""
    action = np.zeros(4)
    until = -1

    def act(state: State, step: int) -> Action:
        nonlocal action, until
        if step > until:
            until = step + int(rng.integers(3, 11))
            action = np.append(
                rng.uniform(-1.0, 1.0, 3) + [0.0, 0.15, -0.15], rng.choice([-1.0, 1.0])
            )
        return _clip(action + rng.normal(0.0, 0.2, 4))

    return act


def _clip(action: npt.NDArray[Any]) -> Action:
    clipped: Action = np.clip(action, -1.0, 1.0).astype(np.float32)
    return clipped
