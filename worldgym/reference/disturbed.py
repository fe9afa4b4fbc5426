"""Motions outside an imitator's habits: beside, above, past, late, too far, mirrored.

A world trained on imitation policies alone draws what usually follows similar motions: it opened
drawers for hands that passed 10 cm beside the handle, and lost small objects once a hand came near.
Here the hand goes where the object is not, goes around it without touching, touches it and leaves,
or does the task's motion at another time, size or side. The simulator gives the true outcome.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.reference.reference_tasks import STEPS

Numbers = npt.NDArray[np.float64]
Expert = Callable[[Numbers], Numbers]  # Meta-World's observation => an action [4], not yet clipped
Disturbed = Callable[[Numbers, int], Numbers]  # (observation, step) => an action [4], not clipped
Make = Callable[[np.random.Generator, Expert], Disturbed]

HAND = slice(0, 3)  # where Meta-World's observation keeps the hand's position, metres
OBJECT = slice(4, 7)  # and the object's
MOVE = 0.04  # metres that an action of 1 moves the controller's target


def make_disturbed(name: str, rng: np.random.Generator, expert: Expert) -> Disturbed:
    """The disturbed behaviour of this name. KeyError for one that is none of DISTURBED."""
    return DISTURBED[name](rng, expert)


def moved_object(state: Numbers, offset: Numbers) -> Numbers:
    """The observation with its object moved by `offset` [3], metres."""
    believed = state.copy()
    believed[OBJECT] += offset
    return believed


def _displaced(rng: np.random.Generator, expert: Expert) -> Disturbed:
    """The whole motion 6 to 16 cm to the side."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    offset = rng.uniform(0.06, 0.16) * np.array([np.cos(angle), np.sin(angle), 0.0])
    return lambda state, step: expert(moved_object(state, offset))


def _above(rng: np.random.Generator, expert: Expert) -> Disturbed:
    """The whole motion 5 to 14 cm too high, a little to the side."""
    offset = np.append(rng.normal(0.0, 0.02, 2), rng.uniform(0.05, 0.14))
    return lambda state, step: expert(moved_object(state, offset))


def _hovering(rng: np.random.Generator, expert: Expert) -> Disturbed:
    """Near the object, from place to place around it, without a push."""
    places = [_around(rng, 0.05, 0.14) for _ in range(STEPS // 6 + 1)]
    grip = rng.choice([-1.0, 1.0])
    return lambda state, step: _towards(state, state[OBJECT] + places[step // 6], grip)


def _crossing(rng: np.random.Generator, expert: Expert) -> Disturbed:
    """Over the object from one side to the other and back, 7 to 16 cm above it."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    side = rng.uniform(0.12, 0.22) * np.array([np.cos(angle), np.sin(angle), 0.0])
    height = np.array([0.0, 0.0, rng.uniform(0.07, 0.16)])
    half = int(rng.integers(8, 16))
    grip = rng.choice([-1.0, 1.0])

    def act(state: Numbers, step: int) -> Numbers:
        sign = 1.0 if step // half % 2 == 0 else -1.0
        return _towards(state, state[OBJECT] + height + sign * side, grip)

    return act


def _prodding(rng: np.random.Generator, expert: Expert) -> Disturbed:
    """To the object from a random direction, against it, and away again."""
    side = _around(rng, 0.10, 0.16)
    grip = rng.choice([-1.0, 1.0])
    reach = int(rng.integers(7, 13))
    push = int(rng.integers(3, 9))

    def act(state: Numbers, step: int) -> Numbers:
        phase = step % (reach + push)
        place = side if phase < reach else -0.3 * side
        return _towards(state, state[OBJECT] + place, grip)

    return act


def _delayed(rng: np.random.Generator, expert: Expert) -> Disturbed:
    """Every action comes one to four steps late."""
    late = int(rng.integers(1, 5))
    waiting = deque([np.zeros(4)] * late)

    def act(state: Numbers, step: int) -> Numbers:
        waiting.append(np.clip(expert(state), -1.0, 1.0))
        return waiting.popleft()

    return act


def _scaled(rng: np.random.Generator, expert: Expert) -> Disturbed:
    """Moves of 0.3 to 0.8 or 1.3 to 2 times the size."""
    gain = rng.uniform(0.3, 0.8) if rng.random() < 0.5 else rng.uniform(1.3, 2.0)
    return lambda state, step: np.clip(expert(state), -1.0, 1.0) * [gain, gain, gain, 1.0]


def _warped(rng: np.random.Generator, expert: Expert) -> Disturbed:
    """A speed that changes smoothly between a fifth and the whole."""
    period = rng.uniform(8.0, 30.0)
    phase = rng.uniform(0.0, 2.0 * np.pi)

    def act(state: Numbers, step: int) -> Numbers:
        speed = float(0.6 + 0.4 * np.sin(2.0 * np.pi * step / period + phase))
        return np.clip(expert(state), -1.0, 1.0) * [speed, speed, speed, 1.0]

    return act


def _mirrored(rng: np.random.Generator, expert: Expert) -> Disturbed:
    """One axis of the motion reversed, from the start or from some step on."""
    signs = np.ones(4)
    signs[int(rng.integers(0, 3))] = -1.0
    first = int(rng.integers(5, STEPS // 2)) if rng.random() < 0.5 else 0
    return lambda state, step: expert(state) * (signs if step >= first else 1.0)


def _wrong_grip(rng: np.random.Generator, expert: Expert) -> Disturbed:
    """The task's motion with the gripper's command reversed or held."""
    held = float(rng.choice([-1.0, 1.0]))
    turned = rng.random() < 0.5

    def act(state: Numbers, step: int) -> Numbers:
        action = np.array(expert(state), np.float64)
        action[3] = -action[3] if turned else held
        return action

    return act


def _around(rng: np.random.Generator, near: float, far: float) -> Numbers:
    """A place `near` to `far` metres from the origin, rarely below it."""
    direction = rng.normal(0.0, 1.0, 3)
    direction[2] = abs(direction[2]) if rng.random() < 0.8 else direction[2]
    return rng.uniform(near, far) * direction / np.linalg.norm(direction)


def _towards(state: Numbers, place: Numbers, grip: Any) -> Numbers:
    return np.append((place - state[HAND]) / MOVE, grip)


DISTURBED: dict[str, Make] = {
    "displaced": _displaced,
    "above": _above,
    "hovering": _hovering,
    "crossing": _crossing,
    "prodding": _prodding,
    "delayed": _delayed,
    "scaled": _scaled,
    "warped": _warped,
    "mirrored": _mirrored,
    "wrong-grip": _wrong_grip,
}
