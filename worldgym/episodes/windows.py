"""Cutting training windows out of episodes: the only place that pads and masks.

A window is T frames from any start. The action shown with a frame is the one that LED to it (action
t - 1 for frame t); the first frame of an episode has none, and an episode shorter than the window
is padded at its end and masked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from worldgym.errors import CheckpointError
from worldgym.types import Actions

DISPLACEMENT_SCALE = 0.1  # of a sum of actions, so that it has the size of an action

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def conditioning(
    actions: Actions, size: int | None = None, bounds: Floats | None = None
) -> Actions:
    """actions [T, A] of an episode => float32 [T+1, numbers shown] shown with each of its frames;
    no action leads to frame 0.

    "sum" (size None): A (1 + K) + 1. The action's A numbers, the sums of all actions since the
    episode began (scaled), kept within each of the K bounds (see `commanded_positions`; None: one
    sum, without bounds), and a flag "no action known", which is 1 (and all others 0) at frame 0.
    The sum anchors a robot moved by delta poses, however blurred the frames before may be. "action"
    (as published): the action, then zeros up to `size` numbers; frame 0 gets zeros. In both, zeros
    with a last number of 1 stand for padding and for a dropped action in classifier-free
    guidance."""
    sums = commanded_positions(actions, bounds) if size is None else None
    shown = beside(actions, sums, size)
    first = np.zeros((1, shown.shape[1]), np.float32)
    first[0, -1] = size is None
    return np.concatenate([first, shown])


def beside(actions: Actions, sums: Floats | None, size: int | None = None) -> Actions:
    """actions [..., A] and their sums [..., K, A] (see `commanded_positions`) => float32 [...,
    numbers shown]: both, the sums scaled, and a last zero, "the action is known". sums None: the
    action and zeros up to `size` numbers."""
    *places, count = actions.shape
    blocks = (
        [actions]
        if sums is None
        else [actions, DISPLACEMENT_SCALE * sums.reshape(*places, sums.shape[-2] * count)]
    )
    shown = sum(block.shape[-1] for block in blocks)
    rest = np.zeros((*places, (size or shown + 1) - shown), np.float32)
    return np.concatenate([*blocks, rest], -1, dtype=np.float32)


def commanded_positions(
    actions: Actions, bounds: Floats | None = None, begun: Floats | None = None
) -> Floats:
    """actions [..., T, A] => where a controller makes for after each of them, [..., T, K, A]: their
    sum so far, kept within each
    of the bounds [K, 2, A] all the time. None: one sum, without bounds.   begun: [..., K, A], the
    sums before; None = zero."""
    *rows, steps, count = actions.shape
    if bounds is None:
        bounds = np.array([[[-np.inf] * count, [np.inf] * count]], np.float32)
    now = np.zeros((*rows, len(bounds), count), np.float32) if begun is None else begun
    sums = np.empty((*rows, steps, len(bounds), count), np.float32)
    for step in range(steps):
        now = np.clip(now + actions[..., step, None, :], bounds[:, 0], bounds[:, 1])
        sums[..., step, :, :] = now
    return sums


def check_shown(conditioning: str, actions: int, size: int, sums: int = 1) -> None:
    """CheckpointError unless a network that is shown `size` numbers can be shown actions of so many
    numbers in this way, with so many sums of each."""
    if conditioning not in ("sum", "action"):
        raise CheckpointError(
            f'no conditioning "{conditioning}": a checkpoint names "sum" or "action"'
        )
    wanted = actions * (1 + sums) + 1 if conditioning == "sum" else actions
    if size != wanted if conditioning == "sum" else size < wanted:
        raise CheckpointError(
            f"a network that takes {size} numbers with each frame cannot be shown actions of "
            f'{actions} as "{conditioning}": '
            f"give action_size {wanted}, or data of other actions"
        )


def shown_columns(
    conditioning: str, actions: int, size: int, sums: int = 1, widest: int | None = None
) -> Ints:
    """Which of the `size` numbers that a shared network is shown stand for a robot of so many
    action numbers and sums of each, in the order in which `conditioning` gives them; the rest are
    padding. [A (1 + K) + 1], or [A or A + 1] where the conditioning is "action".

    widest: action numbers of the robot with the most, None = this one. The last number, "no action
    known", is every robot's."""
    blocks = range(1 + sums) if conditioning == "sum" else range(1)
    starts = [block * (widest or actions) for block in blocks]
    own = [*(start + number for start in starts for number in range(actions)), size - 1]
    return np.unique(np.array(own, np.int64))


def random_starts(lengths: Ints, size: int, rng: np.random.Generator) -> Ints:
    """lengths: frames of each episode [B] => first frames [B], uniform over those that need no
    padding; 0 if all do."""
    return rng.integers(0, np.maximum(lengths - size, 0) + 1)


def cut(lengths: Ints, size: int, starts: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """=> (frame numbers int [B, size], mask [B, size]). Places behind an episode's end repeat its
    last frame, masked."""
    if (starts < 0).any() or (starts >= lengths).any():
        raise ValueError("a window cannot start outside its episode")
    places = starts[:, None] + np.arange(size)
    return np.minimum(places, lengths[:, None] - 1), places < lengths[:, None]
