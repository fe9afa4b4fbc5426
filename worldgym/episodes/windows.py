"""Cutting training windows out of episodes: the only place that pads and masks.

A window is T frames from any start; an episode shorter than the window is padded at its end and
masked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


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
