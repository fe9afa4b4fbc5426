"""The policy seam. A batch of trials in, a chunk of actions each out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from worldgym.types import Actions, ActionSpec, Frames, Trial

State = TypeVar("State")


@dataclass(frozen=True)
class Observation:
    """What a policy sees of one trial. frame: uint8 [H, W, 3] RGB. step: actions taken so far."""

    frame: Frames
    instruction: str
    step: int


class Policy(Protocol[State]):
    """name: identifies it in logs, unique in a run.   chunk: actions returned by one call, h.

    State is one object a trial, carried by the caller; a policy without memory uses None.
    """

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> ActionSpec: ...

    @property
    def chunk(self) -> int: ...

    def reset(self, trials: Sequence[Trial]) -> list[State]:
        """One state a trial. Randomness comes from `trial.seed`, never from the batch."""
        ...

    def act(self, states: Sequence[State], observations: Sequence[Observation]) -> tuple[list[State], Actions]:
        """=> (new states, actions float32 [B, h, A] in `spec`). Row b depends on row b alone."""
        ...
