"""The rows of a vector environment, each with the trial that it runs."""

from __future__ import annotations

from dataclasses import dataclass

from worldgym.evaluation.batch_rollout import BatchRollout
from worldgym.types import Actions, Frames, Trial


@dataclass
class Row:
    """batch: the trials that began with this one, which is their number `index`; together: the
    rows of all of them.   value: what it
    was paid so far.   looked: actions at the judge's last look.   terminated: it ended before its
    steps."""

    batch: BatchRollout
    index: int
    together: tuple[int, ...]
    value: float = 0.0
    looked: int = 0
    terminated: bool = False

    @property
    def trial(self) -> Trial:
        return self.batch.trials[self.index]

    @property
    def frames(self) -> Frames:
        """uint8 [T+1, V, H, W, 3], the initial frame first."""
        return self.batch.frames(self.index)

    @property
    def moves(self) -> Actions:
        """float32 [T, A]."""
        return self.batch.moves(self.index)

    @property
    def step(self) -> int:
        """Actions taken, T."""
        return len(self.moves)

    @property
    def truncated(self) -> bool:
        return self.step == self.trial.task.steps

    @property
    def over(self) -> bool:
        return self.terminated or self.truncated
