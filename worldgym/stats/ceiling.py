"""The noise ceiling: what a perfect evaluator would score against these real trials.

An evaluator whose success rate equals the true one in every cell still does not reach r = 1: both sides see the rates through
a few trials. How far below 1 it stays follows from the number of trials and from how much the true rates differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln

from worldgym.stats.correlation import centred, pearson
from worldgym.stats.frames import Indices, Numbers

SIMULATIONS = 4000
GRID = 40  # points an axis of the prior


@dataclass(frozen=True)
class Trials:
    """Real successes and the numbers of trials on both sides of every cell: each [N]. policies [N] counts from 0."""

    policies: Indices
    successes: Numbers
    truth_trials: Numbers
    world_trials: Numbers


@dataclass(frozen=True)
class NoiseCeiling:
    """Pearson's r of a perfect evaluator with these trials: mean and central 95 % of studies [low, high]; None = not defined.

    unlimited:    the mean r if imagined trials were unlimited, so that the real side's noise alone remains.
    rmse, mean_abs_gap: what it would show of these, in percentage points, on average (root mean square for rmse).
    """

    mean: float
    low: float
    high: float
    unlimited: float
    rmse: float
    mean_abs_gap: float


def noise_ceiling(trials: Trials, simulations: int = SIMULATIONS, seed: int = 0) -> NoiseCeiling | None:
    """Studies drawn anew: true rates from what the real trials say of them, then binomial trials on both sides.

    True rates are drawn and not set to the observed ones, whose spread is that of the truth plus noise, nor to shrunken
    ones, whose spread is too small. Partial credit varies less than the binomial, so with it the ceiling errs on the low side.
    None below three cells, or where no study has spread (no trials, say).
    """
    if len(trials.successes) == 0 or min(trials.truth_trials.min(), trials.world_trials.min()) < 1:
        return None
    rng = np.random.default_rng(seed)
    p = np.empty((simulations, len(trials.successes)))
    for policy in range(trials.policies.max() + 1):
        own = trials.policies == policy
        p[:, own] = posterior_rates(trials.successes[own], trials.truth_trials[own], simulations, rng)
    world, truth = (rng.binomial(n.round().astype(int), p) / n.round() for n in (trials.world_trials, trials.truth_trials))
    once = np.ones_like(p)
    r = pearson(world, truth, once)
    if np.isnan(r).mean() > 0.5:
        return None
    low, high = np.nanquantile(r, [0.025, 0.975])
    gap = world - truth
    means = gap - centred(gap, once, trials.policies)  # of each cell's policy
    _, first = np.unique(trials.policies, return_index=True)
    return NoiseCeiling(
        mean=float(np.nanmean(r)),
        low=float(low),
        high=float(high),
        unlimited=float(np.nanmean(pearson(p, truth, once))),
        rmse=100 * float(np.sqrt(np.mean(gap**2))),
        mean_abs_gap=100 * float(np.mean(abs(means[:, first]))),
    )


def posterior_rates(successes: Numbers, trials: Numbers, draws: int, rng: np.random.Generator) -> Numbers:
    """Draws [draws, N] of the true rates of one policy's cells, given their trials.

    The cells' rates share a beta distribution whose mean and intraclass correlation 1 / (a + b + 1) are unknown, uniform on
    [0, 1] each before the trials are seen; they are drawn from their posterior on a grid, then each rate from its own.
    A. Gelman et al., Bayesian Data Analysis, 3rd ed., section 5.3; the prior on the correlation is ours.
    """
    points = (np.arange(GRID) + 0.5) / GRID
    means, correlations = (axis.ravel() for axis in np.meshgrid(points, points))
    a, b = means * (1 / correlations - 1), (1 - means) * (1 / correlations - 1)
    evidence = betaln(a[:, None] + successes, b[:, None] + trials - successes) - betaln(a, b)[:, None]
    log_p = evidence.sum(axis=1)
    weights = np.exp(log_p - log_p.max())
    chosen = rng.choice(len(a), size=draws, p=weights / weights.sum())
    return rng.beta(a[chosen, None] + successes, b[chosen, None] + trials - successes)
