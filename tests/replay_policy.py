"""A policy that repeats recorded actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from worldgym.policies.policy_protocol import NEWEST_FRAME, Observation
from worldgym.types import Actions, ActionSpec, Trial


class ReplayPolicy:
    """Repeats recorded actions. `recorded`: float32 [T, A] by task name; after their end the last
    action is held."""

    def __init__(
        self,
        spec: ActionSpec,
        recorded: Mapping[str, Actions],
        name: str = "replay",
        chunk: int = 1,
    ) -> None:
        self.name = name
        self.spec = spec
        self.chunk = chunk
        self.needs = NEWEST_FRAME
        self._recorded = recorded

    def reset(self, trials: Sequence[Trial]) -> list[str]:
        """The state is the task's name."""
        return [trial.task.name for trial in trials]

    def act(
        self, states: Sequence[str], observations: Sequence[Observation]
    ) -> tuple[list[str], Actions]:
        chunks = []
        for task, observation in zip(states, observations, strict=True):
            actions = self._recorded[task]
            steps = np.minimum(observation.step + np.arange(self.chunk), len(actions) - 1)
            chunks.append(actions[steps])
        return list(states), np.stack(chunks).astype(np.float32)
