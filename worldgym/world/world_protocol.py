"""The world seam. State is carried by the caller, never hidden: a state may be kept, branched and
stepped again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from worldgym.types import Actions, ActionSpec, Frames

State = TypeVar("State")


class World(Protocol[State]):
    """A simulator made of a video model. `name` identifies the weights in logs."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> ActionSpec: ...

    @property
    def frame_shape(self) -> tuple[int, int, int]: ...

    def reset(self, frames: Frames, seeds: Sequence[int]) -> State:
        """frames: uint8 [B, H, W, 3] initial frames; one seed a row. Row b of every later result
        depends on row b alone."""
        ...

    def step(self, state: State, actions: Actions) -> tuple[State, Frames]:
        """actions: float32 [B, h, A], any h >= 1 => (new state, uint8 [B, h, H, W, 3]). `state`
        itself stays valid."""
        ...
