"""Repeats of one start frame resemble each other, so frames, not trials, are what an interval counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]  # [N], counting from 0


def numbered(labels: Sequence[str]) -> Indices:
    """Labels => 0, 1, ... in the order of the sorted labels."""
    return np.unique(np.array(labels, dtype=np.str_), return_inverse=True)[1]


def frame_means(values: Numbers, frames: Sequence[str]) -> tuple[Numbers, float]:
    """(mean of each start frame [G], variance of the mean of all values), for values [N], N >= 1, and their frames' names.

    The variance is that of a ratio of sums over frames, so frames may have different numbers of repeats: W. G. Cochran (1977),
    Sampling Techniques, 3rd ed., section 11.8 without the finite-population factor. NaN for a single frame.
    """
    group = numbered(frames)
    counts = np.bincount(group)
    sums = np.bincount(group, values)
    G = len(counts)
    residuals = (sums - counts * values.mean()) / counts.mean()
    variance = float(residuals @ residuals) / (G * (G - 1)) if G > 1 else float("nan")
    return sums / counts, variance
