"""Who moves the Panda in recorded episodes: a scripted expert that reads positions, and the same
expert disturbed.

A world trained only on successes is optimistic, so about half of the episodes fail, most of them as
near misses: the hand closes beside the object or above it, opens too soon, or lets go over the
wrong place. Deterministic by (task, seed).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgym.reference.panda import PANDA_TASKS, PandaStep
from worldgym.types import Actions

Position = npt.NDArray[np.float64]
PandaMover = Callable[[PandaStep], Actions]  # what is seen => action [7]
# Episodes in a block, which a recording of any length repeats in a fixed shuffle.
PANDA_MIX: Mapping[str, int] = {
    "expert": 16,
    "noisy": 8,
    "beside": 6,  # grasps next to the object
    "above": 4,  # closes before it is down
    "lets-go": 4,  # opens on the way
    "misplaces": 4,  # lets go beside the goal
    "stops": 4,
    "random": 2,
}
UNIT = 0.05  # metres of a move of 1.0
ABOVE = 0.10  # metres over the object from which the hand descends
RELEASED = 0.05  # metres between the centres of two cubes where the upper one is let go
NEAR = 0.012  # metres from a waypoint that count as there
CLOSING = 7  # actions that a grasp takes: 0.1 of the way an action
# actions after which something must be in the way, or a goal out of reach
LOWERING = 10
CARRYING = 34
OPENING = 8  # actions until the fingers let go: the gripper first takes back its closing
HELD = 0.06  # metres between hand and object up to which it believes that it holds the object


@dataclass(frozen=True)
class PandaFault:
    """offset: metres, of where the hand grasps.   goal: metres, of where it lets go.   noise: of
    the actions.   lets_go: metres of lift at which it opens, None = never.   stops: after so many
    actions it stands still."""

    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    goal: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.0
    lets_go: float | None = None
    stops: int | None = None


def behaviour_of(seed: int) -> str:
    """The behaviour that a seed stands for."""
    block = [name for name, count in PANDA_MIX.items() for _ in range(count)]
    return block[int(np.random.default_rng(0).permutation(len(block))[seed % len(block)])]


def panda_mover(task: str, behaviour: str, seed: int) -> PandaMover:
    """A fresh one, for one episode."""
    rng = np.random.default_rng([seed, list(PANDA_TASKS).index(task)])
    if behaviour == "random":
        return _Wandering(rng)
    return _Expert(task, _fault(behaviour, rng), rng)


def _fault(behaviour: str, rng: np.random.Generator) -> PandaFault:
    angle = rng.uniform(0.0, 2.0 * np.pi)
    aside = np.array([np.cos(angle), np.sin(angle)])
    if behaviour == "beside":
        x, y = aside * rng.uniform(0.02, 0.05)
        return PandaFault(offset=(float(x), float(y), 0.0))
    if behaviour == "above":
        return PandaFault(offset=(0.0, 0.0, float(rng.uniform(0.03, 0.06))))
    if behaviour == "lets-go":
        return PandaFault(lets_go=float(rng.uniform(0.0, 0.06)))
    if behaviour == "misplaces":
        x, y = aside * rng.uniform(0.04, 0.10)
        return PandaFault(goal=(float(x), float(y)))
    if behaviour == "stops":
        return PandaFault(stops=int(rng.integers(4, 25)))
    if behaviour == "noisy":
        return PandaFault(noise=float(rng.uniform(0.1, 0.35)))
    return PandaFault()


class _Wandering:
    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._held = np.zeros(7)
        self._left = 0

    def __call__(self, now: PandaStep) -> Actions:
        if self._left == 0:
            self._held = np.zeros(7)
            self._held[:3] = self._rng.uniform(-0.6, 0.6, 3)
            self._held[6] = self._rng.choice([-1.0, 1.0])
            self._left = int(self._rng.integers(3, 8))
        self._left -= 1
        return self._held.astype(np.float32)


class _Expert:
    """Goes through waypoints: above the object, down, close, up, above the goal, down, open, up.

    One that lost or never had its object carries on as if it held it."""

    def __init__(self, task: str, change: PandaFault, rng: np.random.Generator) -> None:
        self._task = task
        self._change = change
        self._rng = rng
        self._stage = 0
        self._since = 0
        self._taken = 0
        self._from = np.zeros(3)  # where the object lay at first
        self._goal = np.zeros(3)
        self._carried = np.zeros(3)  # from the object to the hand, while held

    def __call__(self, now: PandaStep) -> Actions:
        if self._taken == 0:
            self._from = now.seen["object"].copy()
            self._goal = now.seen["goal"].copy()
        self._taken += 1
        if self._change.stops is not None and self._taken > self._change.stops:
            return self._action(np.zeros(3), closed=self._stage >= 2)
        hand = now.seen["hand"]
        from_object = hand - now.seen["object"]
        if np.linalg.norm(from_object) < HELD:
            self._carried = from_object
        target, closed = self._waypoint(now)
        there = np.linalg.norm(target - hand) < NEAR
        limit = {1: LOWERING, 2: CLOSING, 4: CARRYING, 5: LOWERING, 6: OPENING}.get(self._stage)
        waited = limit is not None and self._since >= limit
        if waited or (there and self._stage not in (2, 6)):
            self._stage = min(self._stage + 1, 7)
            self._since = 0
            target, closed = self._waypoint(now)
        self._since += 1
        move = np.clip((target - hand) / UNIT, -1.0, 1.0)
        lifted = now.seen["object"][2] - self._from[2]
        if self._change.lets_go is not None and self._stage >= 3:
            closed = closed and lifted < self._change.lets_go
        return self._action(move, closed)

    def _waypoint(self, now: PandaStep) -> tuple[Position, bool]:
        """Where the hand should be, and whether it is closed."""
        lies = now.seen["object"] if self._stage < 2 else self._from
        grasp = lies + np.array(self._change.offset)
        goal = self._goal.copy()
        goal[:2] += self._change.goal
        hand = now.seen["hand"]
        if self._stage == 0:
            return grasp + (0.0, 0.0, ABOVE), False
        if self._stage == 1:
            return grasp, False
        if self._stage == 2:
            return hand, True
        if self._stage == 3 or self._task == "lift":
            return grasp + (0.0, 0.0, 0.25 if self._task == "can" else 0.12), True
        over = goal + (self._carried[0], self._carried[1], 0.0)
        if self._task == "can":
            over[2] = 1.0 if self._stage == 5 else max(hand[2], 1.1)
        else:
            lowered = RELEASED + self._carried[2]
            over[2] = goal[2] + (lowered if self._stage == 5 else 0.12)
        if self._stage < 6:
            return over, True
        if self._stage == 6:
            return hand, False
        return np.array([hand[0], hand[1], goal[2] + 0.25]), False

    def _action(self, move: Position, closed: bool) -> Actions:
        noise = self._change.noise * self._rng.normal(size=3)
        action = np.zeros(7)
        action[:3] = np.clip(move + noise, -1.0, 1.0)
        action[6] = 1.0 if closed else -1.0
        return action.astype(np.float32)
