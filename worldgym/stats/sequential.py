"""Comparing two policies while the trials come in, and stopping as soon as it is clear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worldgym.stats.betting import anytime_interval, wealth
from worldgym.stats.frames import Numbers, numbered


@dataclass(frozen=True)
class SequentialResult:
    """What the pairs so far say, however often they were looked at.

    evidence:  wealth of a bet against "no difference", from 1; at alpha = 0.05 the difference is shown from 20 on.
    p:         1 / the largest evidence so far, at most 1.
    decided:   number of pairs after which it was shown; None if not yet.
    low, high: interval of the difference in [-1, 1] that may be looked at after every pair.
    """

    evidence: float
    p: float
    decided: int | None
    low: float
    high: float
    n: int


def sequential_test(differences: Numbers, alpha: float = 0.05) -> SequentialResult:
    """For differences [T] in [-1, 1] of two policies' scores in the order of their trials. No pair: evidence 1, (-1, 1).

    Valid if the next difference, given the earlier ones, has mean 0 when the policies are alike: one difference a start frame
    (see `by_frame`), frames in an order fixed beforehand.
    """
    values = wealth(differences)
    low, high = anytime_interval(differences, 1 - alpha)
    shown = np.flatnonzero(values >= 1 / alpha)
    return SequentialResult(
        evidence=float(values[-1]) if len(values) else 1.0,
        p=float(min(1.0, 1 / values.max(initial=1.0))),
        decided=int(shown[0]) + 1 if len(shown) else None,
        low=low,
        high=high,
        n=len(values),
    )


def by_frame(differences: Numbers, frames: Sequence[str]) -> Numbers:
    """Mean difference of each start frame, frames in the order in which they first came."""
    group = numbered(frames)
    means = np.bincount(group, differences) / np.bincount(group)
    first = np.unique(group, return_index=True)[1]
    return np.asarray(means[np.argsort(first, kind="stable")])
