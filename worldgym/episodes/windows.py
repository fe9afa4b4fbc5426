"""Cutting training windows out of episodes: the only place that pads and masks.

A window is T frames from any start. The action shown with a frame is the one that LED to it (action t - 1 for frame t); the
first frame of an episode has none, and an episode shorter than the window is padded at its end and masked.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from worldgym.errors import CheckpointError
from worldgym.types import Actions

DISPLACEMENT_SCALE = 0.1  # of a sum of actions, so that it has the size of an action

Ints = npt.NDArray[np.int64]


def conditioning(actions: Actions, size: int | None = None) -> Actions:
    """actions [T, A] of an episode => float32 [T+1, numbers shown] shown with each of its frames; no action leads to frame 0.

    "sum" (size None): 2 A + 1. The action's A numbers, the sum of all actions since the episode began (scaled), and a flag "no
    action known", which is 1 (and all others 0) at frame 0. The sum anchors a robot moved by delta poses, however blurred the
    frames before may be.
    "action" (as published): the action, then zeros up to `size` numbers; frame 0 gets zeros.
    In both, zeros with a last number of 1 stand for padding and for a dropped action in classifier-free guidance.
    """
    count = actions.shape[1]
    out = np.zeros((len(actions) + 1, 2 * count + 1 if size is None else size), np.float32)
    out[1:, :count] = actions
    if size is None:
        out[1:, count:-1] = DISPLACEMENT_SCALE * np.cumsum(actions, axis=0)
        out[0, -1] = 1.0
    return out


def check_shown(conditioning: str, actions: int, size: int) -> None:
    """CheckpointError unless a network that is shown `size` numbers can be shown actions of so many numbers in this way."""
    if conditioning not in ("sum", "action"):
        raise CheckpointError(f'no conditioning "{conditioning}": a checkpoint names "sum" or "action"')
    if (size != 2 * actions + 1) if conditioning == "sum" else (size < actions):
        raise CheckpointError(
            f'a network that takes {size} numbers with each frame cannot be shown actions of {actions} as "{conditioning}": '
            f"give action_size {2 * actions + 1 if conditioning == 'sum' else actions}, or data of other actions"
        )


def shown_columns(conditioning: str, actions: int, size: int) -> Ints:
    """Which of the `size` numbers that a shared network is shown stand for a robot of so many action numbers, in the order in
    which `conditioning` gives them; the rest are padding. [2 A + 1], or [A or A + 1] where the conditioning is "action".

    The last number, "no action known", is every robot's.
    """
    width = (size - 1) // 2 if conditioning == "sum" else 0
    own = [*range(actions), *range(width, width + actions), size - 1]
    return np.unique(np.array(own, np.int64))


def random_starts(lengths: Ints, size: int, rng: np.random.Generator) -> Ints:
    """lengths: frames of each episode [B] => first frames [B], uniform over those that need no padding; 0 if all do."""
    return rng.integers(0, np.maximum(lengths - size, 0) + 1)


def cut(lengths: Ints, size: int, starts: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """=> (frame numbers int [B, size], mask [B, size]). Places behind an episode's end repeat its last frame, masked."""
    if (starts < 0).any() or (starts >= lengths).any():
        raise ValueError("a window cannot start outside its episode")
    places = starts[:, None] + np.arange(size)
    return np.minimum(places, lengths[:, None] - 1), places < lengths[:, None]
