"""Cutting training windows out of episodes: the only place that pads and masks.

A window is T frames from any start. The action shown with a frame is the one that LED to it (action t - 1 for frame t); the
first frame of an episode has none, and an episode shorter than the window is padded at its end and masked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgym.types import Actions


@dataclass(frozen=True)
class Window:
    """Row numbers of one window in its episode. frames: int [T].   mask: bool [T], False where padded."""

    start: int
    frames: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_]


def cut(length: int, size: int, start: int) -> Window:
    """length: frames in the episode; start: 0 <= start < length. Frames behind the end repeat the last one, masked."""
    if not 0 <= start < length:
        raise ValueError(f"a window cannot start at frame {start} of an episode of {length} frames")
    places = np.arange(start, start + size)
    return Window(start, np.minimum(places, length - 1), places < length)


def random_start(length: int, size: int, rng: np.random.Generator) -> int:
    """Uniform over the starts that need no padding; 0 for an episode shorter than the window."""
    return int(rng.integers(0, max(length - size, 0) + 1))


DISPLACEMENT_SCALE = 0.1  # of a sum of actions, so that it has the size of an action


def conditioning(actions: Actions, window: Window) -> Actions:
    """actions [T, A] of the episode => float32 [size, 2 A + 1] shown with each frame of the window.

    A numbers of the action that led to the frame, A numbers of the sum of all actions since the episode began (scaled), and a
    flag "no action known", which is 1 (and all others 0) at frame 0 and in padding. The same vector stands for a dropped action
    in classifier-free guidance. The sum anchors a robot moved by delta poses, however blurred the frames before may be.
    """
    size, count = len(window.frames), actions.shape[1]
    out = np.zeros((size, 2 * count + 1), np.float32)
    led_by = window.frames - 1
    known = (led_by >= 0) & window.mask
    out[known, :count] = actions[led_by[known]]
    out[known, count:-1] = DISPLACEMENT_SCALE * np.cumsum(actions, axis=0)[led_by[known]]
    out[~known, -1] = 1.0
    return out
