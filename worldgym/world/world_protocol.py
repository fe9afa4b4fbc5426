"""The world protocol. The caller holds the state; it is never hidden: a state may be kept, branched
and stepped again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from worldgym.types import Actions, ActionSpec, Frames
from worldgym.world.capabilities import Capabilities

State = TypeVar("State")
Given = npt.NDArray[np.bool_]  # [B, V]


class World(Protocol[State]):
    """A simulator made of a video model. `name` identifies the weights in logs."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> ActionSpec: ...

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(H, W, 3) of every view."""
        ...

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the cameras that it draws, V of them; the first is the main one."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """How it may be asked; PLAIN of a world that takes any chunk and draws one frame per
        action. What follows holds as far as they promise it."""
        ...

    def reset(self, frames: Frames, seeds: Sequence[int]) -> State:
        """frames: uint8 [B, V, H, W, 3] initial frames of all views; one seed per row. Row b of
        every later result depends on row b alone."""
        ...

    def step(self, state: State, actions: Actions) -> tuple[State, Frames]:
        """actions: float32 [B, h, A], any h >= 1 => (new state, uint8 [B, h, V, H, W, 3]). `state`
        itself stays valid."""
        ...


@runtime_checkable
class Completing(Protocol):
    """An optional part of a world with several views: it generates views of an initial frame that a
    task does not have."""

    def complete(self, frames: Frames, given: Given, seeds: Sequence[int]) -> Frames:
        """frames: uint8 [B, V, H, W, 3].   given: bool [B, V], the main view always.   One seed per
        row => the frames with those that are not given drawn from the others, which stay as they
        are. Row b depends on row b alone."""
        ...
