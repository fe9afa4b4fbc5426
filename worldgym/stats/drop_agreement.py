"""Predicted drops of success rates under edits, against true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worldgym.stats.correlation import pearson
from worldgym.types import ROUNDING

LARGE = 0.1  # true drops from here on are expected to be predicted with the right sign, smaller
# changes as small ones


@dataclass(frozen=True)
class DropAgreement:
    """How well predicted drops follow true ones, over policies and kinds of edit."""

    n: int
    """cells in which both are known"""
    pearson: float | None
    """Pearson's r; null where it is not defined"""
    large: int
    """cells whose true drop is 10 points or more"""
    same_sign: int
    """those of them whose predicted drop is above 0"""
    mean_abs_gap: float
    """mean distance of predicted and true drop, in points"""
    bias: float
    """mean of predicted minus true drop, in points: above 0 where too much harm is predicted"""
    small: int
    """cells whose success rate truly changes by less than 10 points, either way"""
    small_too: int
    """those of them that are predicted to change by less than 10 points"""


def drop_agreement(drops: Sequence[tuple[float, float]]) -> DropAgreement | None:
    """drops: of each cell, predicted and true, in [-1, 1].   None without a cell."""
    if not drops:
        return None
    predicted, true = np.array(drops, np.float64).T
    r = float(pearson(predicted, true, np.ones(len(drops))))
    large = true >= LARGE - ROUNDING
    small = abs(true) < LARGE - ROUNDING
    return DropAgreement(
        n=len(drops),
        pearson=None if np.isnan(r) else r,
        large=int(large.sum()),
        same_sign=int((predicted[large] > ROUNDING).sum()),
        mean_abs_gap=float(100 * abs(predicted - true).mean()),
        bias=float(100 * (predicted - true).mean()),
        small=int(small.sum()),
        small_too=int((abs(predicted[small]) < LARGE - ROUNDING).sum()),
    )
