"""The judge seam: reads a record of what happened, never the live world."""

from __future__ import annotations

from typing import Protocol

from worldgym.types import Rollout, Task, Verdict


class Judge(Protocol):
    @property
    def name(self) -> str:
        """Identity for the log: kind and version of the weights or model."""
        ...

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        """Scores the rollout's frames against the task's instruction; unscored with a reason where it cannot decide."""
        ...
