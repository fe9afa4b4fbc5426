"""How far the world model's rates lie from the true ones: signed bias, gap of policies, RMSE."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import ndtri

from worldgym.stats import correlation
from worldgym.stats.cells import CellPair, Cells, levels
from worldgym.stats.comparison import newcombe_interval
from worldgym.stats.noise_free import Span, noises
from worldgym.stats.per_frame import Indices, Numbers
from worldgym.stats.resampling import MIN_LEVELS, normal_interval, resample

Measure = Callable[[Numbers], Numbers]  # weights of the cells [B, N] => [B]


@dataclass(frozen=True)
class Bias:
    """World model minus truth in percentage points, mean over cells, with 95 % intervals."""

    name: str
    """of the policy or task; empty for all cells"""
    value: float
    """in points; above 0 the world model's rates are too high"""
    n: int
    """cells"""
    trials: Span | None
    """interval for exactly these cells, from the noise of their trials; null where not all numbers
    of trials are known"""
    tasks: Span | None
    """interval about further tasks; null below five of them, or where they do not differ"""
    policies: Span | None
    """interval about further policies (families); null for the same reasons"""


def gap_measures(cells: Cells) -> dict[str, Measure]:
    """bias, mean_abs_gap and rmse in percentage points, as functions of the cells' weights."""
    gaps = cells.world - cells.truth
    return {
        "bias": lambda weights: 100 * correlation.mean(gaps, weights),
        "mean_abs_gap": partial(_mean_abs_gap, cells),
        "rmse": lambda weights: 100 * np.sqrt(correlation.mean(gaps**2, weights)),
    }


def biases(pairs: Sequence[CellPair], by: str) -> list[Bias]:
    """Bias of each policy, or each task (by = "policies" or "tasks"), in the order of names."""
    cells = Cells.of(pairs)
    groups, axis = (cells.policies, "tasks") if by == "policies" else (cells.tasks, "policies")
    found = []
    for group in range(levels(groups)):
        own = np.flatnonzero(groups == group)
        gaps = cells.world[own] - cells.truth[own]
        some = [pairs[i] for i in own.tolist()]
        over = {"tasks": None, "policies": None} | {axis: _over(gaps, cells.axes[axis][own])}
        name = some[0].policy if by == "policies" else some[0].task
        found.append(Bias(name, 100 * float(gaps.mean()), len(own), noise_interval(some), **over))
    return found


def noise_interval(pairs: Sequence[CellPair]) -> Span | None:
    """95 % interval of the mean of world minus truth over these cells, in points, from trials
    alone.

    The cells' own intervals (paired where single trials are known, else Newcombe's for independent
    trials) joined as by G. Y. Zou and A. Donner (2008), Statistics in Medicine 27, 1693-1702. Over
    several cells it is no shorter than the normal one: score intervals are short for the distance
    of their middle from the rate, and over many cells these distances cancel. On the wide side
    where many rates are 0 or 1, or where trials share frames that are not known.
    """
    ends = [_difference(pair) for pair in pairs]
    known = [end for end in ends if end is not None]
    if not pairs or len(known) < len(pairs):
        return None
    gaps = np.array([pair.world - pair.truth for pair in pairs])
    low, high = np.array(known).T
    mean = float(gaps.mean())
    N = len(pairs)
    least = _normal(pairs)
    below = math.sqrt(max(least, float(np.sum((gaps - low) ** 2)))) / N
    above = math.sqrt(max(least, float(np.sum((high - gaps) ** 2)))) / N
    return 100 * max(-1.0, mean - below), 100 * min(1.0, mean + above)


def _normal(pairs: Sequence[CellPair]) -> float:
    """Square of half the normal interval of the gaps' sum; 0 for one cell, or where not known."""
    noise = next(iter(noises(pairs).values()), None)
    if noise is None or len(pairs) < 2:
        return 0.0
    variance = float(np.sum(noise.world + noise.truth - 2 * noise.covariance))
    return float(ndtri(0.975)) ** 2 * variance


def _difference(pair: CellPair) -> tuple[float, float] | None:
    if pair.shared is not None:
        return pair.shared.difference
    if not (pair.world_trials and pair.truth_trials):
        return None
    trials = float(pair.world_trials), float(pair.truth_trials)
    return newcombe_interval((pair.world, pair.truth), trials)


def _over(gaps: Numbers, units: Indices) -> Span | None:
    """95 % interval of the mean of gaps [n], in points, bootstrapped over their units [n]."""
    units = np.unique(units, return_inverse=True)[1]
    if levels(units) < MIN_LEVELS:
        return None
    draws = 100 * correlation.mean(gaps, resample(units))
    return normal_interval(100 * float(gaps.mean()), draws, levels(units))


def _mean_abs_gap(cells: Cells, weights: Numbers) -> Numbers:
    world, truth, policies = cells.policy_means(weights)
    return 100 * correlation.mean(abs(world - truth), policies)
