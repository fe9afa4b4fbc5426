"""The inputs of the network with each frame besides its latents: the action that led to it, the
commanded position since the episode began, and its noise level.

The action shown with a frame is the one that LED to it (action t - 1 for frame t); the first frame
of an episode has none."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldgym.errors import CheckpointError
from worldgym.types import Actions

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
DISPLACEMENT_SCALE = 0.1  # of a sum of actions, so that it has the size of an action


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
    """actions [..., T, A] => the position that a controller aims for after each of them, [..., T,
    K, A]: their sum so far, kept within each
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
    """CheckpointError unless a network with `size` inputs can take actions of this many numbers in
    this way, with this many sums of each."""
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


def null_actions(actions: Tensor) -> Tensor:
    """Zeros with the last number 1: "no action known"."""
    null = torch.zeros_like(actions)
    null[..., -1] = 1.0
    return null


def at_rest(rows: int, size: int, conditioning: str) -> Tensor:
    """[rows, 1, size]: what is shown with an initial frame, to which no action led."""
    actions = torch.zeros(rows, 1, size)
    return null_actions(actions) if conditioning == "sum" else actions


def octaves(actions: Tensor, count: int) -> Tensor:
    """actions [..., A] => [..., A (1 + 2 count)]: themselves, then sines, then cosines at
    frequencies 1, 2, 4, ... (float32)."""
    angles = (
        actions.float()[..., None] * 2.0 ** torch.arange(count, device=actions.device)
    ).flatten(-2)
    return torch.cat([actions, angles.sin(), angles.cos()], dim=-1)


def octave_mask(known: Tensor, count: int) -> Tensor:
    """bool [..., A], one per number => bool [..., A (1 + 2 count)], one per number that `octaves`
    makes of it."""
    turned = known.repeat_interleave(count, dim=-1)
    return torch.cat([known, turned, turned], dim=-1)


def sinusoid(level: Tensor, size: int = 256, max_period: float = 10_000.0) -> Tensor:
    """level [...] => [..., size]: cosines, then sines, in float32."""
    frequencies = torch.exp(
        -math.log(max_period) * torch.arange(size // 2, device=level.device).float() / (size // 2)
    )
    angles = level.float()[..., None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
