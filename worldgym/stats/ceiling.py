"""The noise ceiling: what a perfect evaluator would score against these real trials.

A perfect evaluator's outcome has the true probability from every initial frame. Both sides estimate
the rates from a few trials. If these start from different frames, it does not reach r = 1. From the
same frames it comes closer to 1 the more the initial frame decides the outcome. Its r depends on
the numbers of trials and on how much the true rates differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln

from worldgym.stats.correlation import centred, pearson
from worldgym.stats.per_frame import Indices, Numbers

SIMULATIONS = 4000
DRAWN = 4_000_000  # rates in all, 32 MB per table: fewer studies of more than 1,000 cells
FEWEST = 200  # studies
GRID = 40  # points per axis of the prior


@dataclass(frozen=True)
class PairedCounts:
    """Real successes and the numbers of trials on both sides of every cell: each [N].

    policies [N] counts from 0. frames: initial frames that were tried on both sides.
    common: the world's trials from these.
    """

    policies: Indices
    successes: Numbers
    truth_trials: Numbers
    world_trials: Numbers
    frames: Numbers
    common: Numbers


@dataclass(frozen=True)
class Ceiling:
    """A perfect evaluator with these trials, where the initial frame decides a share of
    outcomes."""

    share: float
    """correlation of two outcomes from the same initial frame within a cell, in [0, 1]"""
    mean: float
    """its Pearson's r, mean over studies"""
    low: float
    """lower end of the central 95 % of studies"""
    high: float
    """upper end"""
    rmse: float
    """RMSE of cells that it would show, in points (root mean square over studies)"""
    mean_abs_gap: float
    """distance of policy means that it would show, in points (mean over studies)"""


@dataclass(frozen=True)
class NoiseCeiling:
    """What a perfect evaluator would reach with these trials: in 95 % of studies or more its r lies
    between least.low and most.high. The two are equal where no frame was tried on both sides."""

    least: Ceiling
    """where the initial frame decides as little of the outcome as these trials allow"""
    most: Ceiling
    """where it decides all of it"""
    unlimited: float
    """mean r of an evaluator that reports the true rates themselves"""


def noise_ceiling(
    trials: PairedCounts, least_share: float = 0.0, simulations: int = SIMULATIONS, seed: int = 0
) -> NoiseCeiling | None:
    """Studies drawn again: true rates from what the real trials say of them, then trials of both.

    least_share: of outcomes that the initial frame decides, at least. True rates are drawn and not
    set to the observed ones, whose spread is that of the truth plus noise, nor to shrunken ones,
    whose spread is too small. Partial credit varies less than the binomial, so with it the ceiling
    errs on the low side. None below three cells, or where no study varies (for example, without
    trials).
    """
    if len(trials.successes) == 0 or min(trials.truth_trials.min(), trials.world_trials.min()) < 1:
        return None
    rng = np.random.default_rng(seed)
    simulations = min(simulations, max(DRAWN // len(trials.successes), FEWEST))
    p = np.empty((simulations, len(trials.successes)))
    for policy in range(trials.policies.max() + 1):
        own = trials.policies == policy
        args = trials.successes[own], trials.truth_trials[own], simulations, rng
        p[:, own] = posterior_rates(*args)
    least = ceiling(trials, p, least_share if trials.frames.any() else 0.0, rng)
    most = ceiling(trials, p, 1.0, rng) if trials.frames.any() else least
    if least is None or most is None:
        return None
    truth = _outcomes(trials, p, 0.0, rng)[1]
    return NoiseCeiling(least, most, float(np.nanmean(pearson(p, truth, np.ones_like(p)))))


def ceiling(
    trials: PairedCounts, p: Numbers, share: float, rng: np.random.Generator
) -> Ceiling | None:
    """What perfect evaluators show in studies of true rates p [studies, N]."""
    world, truth = _outcomes(trials, p, share, rng)
    once = np.ones_like(p)
    r = pearson(world, truth, once)
    if np.isnan(r).mean() > 0.5:
        return None
    low, high = np.nanquantile(r, [0.025, 0.975])
    gap = world - truth
    means = gap - centred(gap, once, trials.policies)  # of each cell's policy
    _, first = np.unique(trials.policies, return_index=True)
    return Ceiling(
        share,
        mean=float(np.nanmean(r)),
        low=float(low),
        high=float(high),
        rmse=100 * float(np.sqrt(np.mean(gap**2))),
        mean_abs_gap=100 * float(np.mean(abs(means[:, first]))),
    )


def _outcomes(
    trials: PairedCounts, p: Numbers, share: float, rng: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Rates of a perfect evaluator and of the truth, both [studies, N].

    A frame decides its outcome with probability `share`: the outcome is then the same on both sides
    and in every repeat. From other frames each trial succeeds with probability p.
    """
    n, m, frames = (
        column.round().astype(int)
        for column in (trials.world_trials, trials.truth_trials, trials.frames)
    )
    repeats = trials.common / np.maximum(frames, 1)
    decided = rng.binomial(frames, share, p.shape)
    alike = rng.binomial(decided, p)
    told = np.rint(repeats * decided).astype(int)  # the world's trials from decided frames
    world = np.where(decided > 0, told * alike / np.maximum(decided, 1), 0.0)
    return (
        (world + rng.binomial(n - told, p)) / n,
        (alike + rng.binomial(m - decided, p)) / m,
    )


def posterior_rates(
    successes: Numbers, trials: Numbers, draws: int, rng: np.random.Generator
) -> Numbers:
    """Draws [draws, N] of the true rates of one policy's cells, given their trials.

    The cells' rates share a beta distribution whose mean and intraclass correlation 1 / (a + b + 1)
    are unknown, uniform on [0, 1] each before the trials are seen; they are drawn from their
    posterior on a grid, then each rate from its own. A. Gelman et al., Bayesian Data Analysis, 3rd
    ed., section 5.3; the prior on the correlation is ours."""
    points = (np.arange(GRID) + 0.5) / GRID
    means, correlations = (axis.ravel() for axis in np.meshgrid(points, points))
    a, b = means * (1 / correlations - 1), (1 - means) * (1 / correlations - 1)
    evidence = (
        betaln(a[:, None] + successes, b[:, None] + trials - successes) - betaln(a, b)[:, None]
    )
    log_p = evidence.sum(axis=1)
    weights = np.exp(log_p - log_p.max())
    chosen = rng.choice(len(a), size=draws, p=weights / weights.sum())
    return rng.beta(a[chosen, None] + successes, b[chosen, None] + trials - successes)
