"""Cutting training windows out of episodes: the only place that pads and masks.

A window is T frames from any start. The action shown with a frame is the one that LED to it (action t - 1 for frame t); the
first frame of an episode has none, and an episode shorter than the window is padded at its end and masked.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from worldgym.types import Actions

DISPLACEMENT_SCALE = 0.1  # of a sum of actions, so that it has the size of an action

Ints = npt.NDArray[np.int64]


def conditioning(actions: Actions) -> Actions:
    """actions [T, A] of an episode => float32 [T+1, 2 A + 1] shown with each of its frames.

    A numbers of the action that led to the frame, A numbers of the sum of all actions since the episode began (scaled), and a
    flag "no action known", which is 1 (and all others 0) at frame 0. The same vector stands for padding and for a dropped
    action in classifier-free guidance. The sum anchors a robot moved by delta poses, however blurred the frames before may be.
    """
    count = actions.shape[1]
    out = np.zeros((len(actions) + 1, 2 * count + 1), np.float32)
    out[1:, :count] = actions
    out[1:, count:-1] = DISPLACEMENT_SCALE * np.cumsum(actions, axis=0)
    out[0, -1] = 1.0
    return out


def random_starts(lengths: Ints, size: int, rng: np.random.Generator) -> Ints:
    """lengths: frames of each episode [B] => first frames [B], uniform over those that need no padding; 0 if all do."""
    return rng.integers(0, np.maximum(lengths - size, 0) + 1)


def cut(lengths: Ints, size: int, starts: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """=> (frame numbers int [B, size], mask [B, size]). Places behind an episode's end repeat its last frame, masked."""
    if (starts < 0).any() or (starts >= lengths).any():
        raise ValueError("a window cannot start outside its episode")
    places = starts[:, None] + np.arange(size)
    return np.minimum(places, lengths[:, None] - 1), places < lengths[:, None]
