"""Repeats of one initial frame are correlated, so an interval counts frames, not trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]  # [N], counting from 0
Flags = npt.NDArray[np.bool_]
Labels = Sequence[str] | Indices  # names, or numbers in the order of the names


@dataclass(frozen=True)
class ClusteredMean:
    """The spread of a mean, estimated from initial frames.

    means [G]:  mean of each frame.   counts [G]: its values.
    variance:   of the mean of all values; NaN for a single frame.
    worth:      how many frames with equal numbers of repeats these are worth, in [1, G]: N^2 / sum
                of squared numbers (L. Kish (1965), Survey Sampling, section 8.2)."""

    means: Numbers
    counts: Numbers
    variance: float
    worth: float

    @property
    def frames(self) -> int:
        return len(self.means)


def label_numbers(labels: Labels) -> Indices:
    """Labels => 0, 1, ... in the order of the sorted labels."""
    if isinstance(labels, np.ndarray):
        steps = np.diff(labels)
        if (steps >= 0).all():  # sorted already
            return np.concatenate([[0], np.cumsum(steps > 0)])[: len(labels)].astype(np.intp)
        return np.unique(labels, return_inverse=True)[1]
    numbers = {label: i for i, label in enumerate(sorted(set(labels)))}
    return np.fromiter((numbers[label] for label in labels), np.intp, len(labels))


def clustered_mean(values: Numbers, frames: Labels) -> ClusteredMean:
    """For values [N], N >= 1, and the names or numbers of their initial frames.

    The variance is that of a ratio of sums over frames, so that they may have different numbers of
    repeats: W. G. Cochran (1977), Sampling Techniques, 3rd ed., section 11.8 without the
    finite-population factor.
    """
    group = label_numbers(frames)
    counts = np.bincount(group)
    sums = np.bincount(group, values)
    G = len(counts)
    residuals = (sums - counts * values.mean()) / counts.mean()
    variance = float(residuals @ residuals) / (G * (G - 1)) if G > 1 else float("nan")
    worth = float(counts.sum() ** 2 / (counts @ counts))
    return ClusteredMean(sums / counts, counts.astype(np.float64), variance, worth)
