"""What a rollout begins with if a world needs more than an initial frame, and what a world may
return besides frames.

Axes legend: B batch, n frames of a history, V views, H height, W width, A action numbers, S numbers
of the robot's state, h actions, k actions per frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from worldgym.types import Actions, Frames

RobotStates = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Start:
    """The beginning of a batch of rollouts.

    frames:  uint8 [B, n, V, H, W, 3], the initial one last; n as the world's `History` says.
    seeds:   one per row.   actions: float32 [B, (n - 1) * spacing, A], that led through the frames.
    instructions: one per row.   state: float32 [B, S], the robot's in the initial frame, by the
    names of `Capabilities.state`."""

    frames: Frames
    seeds: Sequence[int]
    actions: Actions
    instructions: tuple[str, ...]
    state: RobotStates


@runtime_checkable
class Conditioned(Protocol):
    """An optional part of a world whose rollouts begin with more than an initial frame: a history,
    an instruction, the robot's state."""

    def begin(self, start: Start) -> Any:
        """Instead of `World.reset`."""
        ...


@runtime_checkable
class Proprioceptive(Protocol):
    """An optional part of a world that predicts the robot's state, `Capabilities.returns`."""

    def robot_states(self, state: Any) -> RobotStates:
        """float32 [B, h / k, S], at each frame of the step that gave this state; after `reset` or
        `begin` [B, 1, S] of the initial frame, or [B, 0, S] where that is not known."""
        ...
