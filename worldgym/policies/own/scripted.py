"""Policies without learning: they stand still, wander, or repeat a recording. Control arms of an
evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Self

import numpy as np

from worldgym.actions.embodiment import MOVING_MODES
from worldgym.actions.no_motion import standing_still
from worldgym.errors import InputError
from worldgym.policies.own.action_bounds import from_unit
from worldgym.policies.policy_protocol import NEWEST_FRAME, Observation
from worldgym.types import Actions, ActionSpec, Trial


class Unseeing:
    """A policy that never looks: the number that an answer holds changes none of its actions."""

    chunk = 1

    def in_chunks(self, chunk: int) -> Self:
        """The same actions, so many per call."""
        other = copy(self)
        other.chunk = chunk
        return other


class StillPolicy(Unseeing):
    """Commands no motion; the gripper keeps the state given by the task, otherwise open. A success
    here did not need the robot."""

    def __init__(self, spec: ActionSpec) -> None:
        if spec.mode not in MOVING_MODES:
            raise InputError(
                f'"still" needs a mode in which zero means no motion ({", ".join(MOVING_MODES)}), '
                f"not {spec.mode}"
            )
        self.name = "still"
        self.spec = spec
        self.needs = NEWEST_FRAME

    def reset(self, trials: Sequence[Trial]) -> list[Mapping[str, float]]:
        """How each robot stands."""
        return [trial.task.state for trial in trials]

    def act(
        self, states: Sequence[Mapping[str, float]], observations: Sequence[Observation]
    ) -> tuple[list[Mapping[str, float]], Actions]:
        rows = [standing_still(self.spec, state) for state in states]
        return list(states), np.repeat(np.array(rows, np.float32)[:, None], self.chunk, axis=1)


WanderState = tuple[
    int, int, tuple[float, ...]
]  # (trial seed, actions so far, last action in [-1, 1])


class RandomPolicy(Unseeing):
    """Smooth random motion within the bounds: a first-order autoregressive walk, seeded by the
    trial."""

    MEMORY = 0.8  # correlation of successive actions

    def __init__(self, spec: ActionSpec) -> None:
        self.name = "random"
        self.spec = spec
        self.needs = NEWEST_FRAME

    def reset(self, trials: Sequence[Trial]) -> list[WanderState]:
        return [(trial.seed, 0, (0.0,) * self.spec.size) for trial in trials]

    def act(
        self, states: Sequence[WanderState], observations: Sequence[Observation]
    ) -> tuple[list[WanderState], Actions]:
        moved = list(states)
        taken = []
        for _ in range(self.chunk):
            moved = [self._wander(state) for state in moved]
            unit = np.asarray([last for _, _, last in moved], np.float32)
            taken.append(from_unit(unit, self.spec))
        return moved, np.stack(taken, axis=1)

    def _wander(self, state: WanderState) -> WanderState:
        seed, calls, last = state
        fresh = np.random.default_rng([seed, calls]).normal(0.0, 0.7, self.spec.size)
        unit = np.clip(
            self.MEMORY * np.asarray(last) + np.sqrt(1.0 - self.MEMORY**2) * fresh, -1.0, 1.0
        )
        return seed, calls + 1, tuple(float(x) for x in unit)
