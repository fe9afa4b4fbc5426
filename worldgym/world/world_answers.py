"""What a world returns, checked wherever it is used: a world in the user's own Python may return
anything, and NumPy would turn NaN into pixels, or repeat one row for all. NumPy only.

Axes legend: B batch, h actions of a step, k actions per frame, V views, H height, W width, S
numbers of the robot's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from worldgym.errors import WorldGymError
from worldgym.types import Actions, Frames
from worldgym.world.world_protocol import Completing, Given, World
from worldgym.world.world_start import Proprioceptive, RobotStates


class WorldFault(WorldGymError):
    """A world returned something else than its protocol says: an infrastructure failure, never a
    score."""


def stepped(world: World[Any], state: Any, actions: Actions) -> tuple[Any, Frames]:
    """`World.step` on a copy of the actions, float32 [B, h, A] => (state, uint8 [B, h / k, V, H, W,
    3]). WorldFault for anything else."""
    answer = world.step(state, actions.copy())
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise WorldFault(
            f"the world {world.name}: step returned {_form(answer)}, not a state and frames"
        )
    rows, steps = actions.shape[:2]
    drawn = (rows, steps // world.capabilities.stride, len(world.views), *world.frame_shape)
    _check(world, "step", answer[1], "frames uint8", np.dtype(np.uint8), drawn)
    return answer


def completed(
    world: Completing, name: str, frames: Frames, given: Given, seeds: Sequence[int]
) -> Frames:
    """`Completing.complete` on copies. WorldFault for frames of another form, or where those that
    are given have changed.   name: of the world."""
    drawn = world.complete(frames.copy(), given.copy(), seeds)
    who = f"the world {name}: complete returned"
    if _form(drawn) != _form(frames):
        raise WorldFault(f"{who} {_form(drawn)}, not {_form(frames)}")
    if not np.array_equal(drawn[given], frames[given]):
        raise WorldFault(f"{who} other frames of the views that it was given")
    return drawn


def robot_states(world: World[Any], state: Any, rows: int, frames: int) -> RobotStates:
    """What the world predicts of the robot after a step of so many rows and frames, float32 [B, h /
    k, S]; [B, 0, 0] of a world that predicts nothing. WorldFault for anything else, or for numbers
    that are not finite.

    frames: 0 = after the beginning: [B, 1, S], or [B, 0, S] where it is not known."""
    names = world.capabilities.returns
    if not names:
        return np.zeros((rows, 0, 0), np.float32)
    if not isinstance(world, Proprioceptive):
        raise WorldFault(
            f'the world {world.name}: its capabilities return "{names[0]}", and it has no method '
            f"robot_states"
        )
    told = world.robot_states(state)
    if frames == 0 and isinstance(told, np.ndarray) and told.ndim == 3:
        frames = min(told.shape[1], 1)
    due = (rows, frames, len(names))
    _check(world, "robot_states", told, "float32", np.dtype(np.float32), due)
    if not np.isfinite(told).all():
        odd = names[int(np.argmin(np.isfinite(told).all((0, 1))))]
        raise WorldFault(
            f'the world {world.name}: robot_states returned numbers for "{odd}" that are not finite'
        )
    return told


def _check(
    world: World[Any],
    method: str,
    value: object,
    due: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
) -> None:
    """due: what it should be, in words, without its shape."""
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.shape != shape:
        raise WorldFault(
            f"the world {world.name}: {method} returned {_form(value)}, not {due} {list(shape)}; "
            f"`worldgym world check` says what else it breaks"
        )


def _form(value: object) -> str:
    """Type and shape, in words."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    return "nothing" if value is None else f"a {type(value).__name__}"
