"""Agreement with the noise of few trials taken out: r, the line of world on truth, and RMSE.

Observed rates vary by their few trials, which pulls r and slope towards 0. The sampling variances
of the rates are known, so they are subtracted from the moments: C. Spearman (1904), Am. J. Psychol.
15, 72-101, for r; W. A. Fuller (1987), Measurement Error Models, section 3.1, and M. G. Akritas and
M. A. Bershady (1996), Astrophys. J. 470, 706-714, for a line with errors on both sides that may
be correlated, and with scatter of its own (a world model is not exact even with unlimited trials).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from worldgym.stats import correlation
from worldgym.stats.cells import CellPair, Cells
from worldgym.stats.per_frame import Numbers

LEAST_RELIABLE = 0.1  # share of the observed variance that is not noise; below it, nothing is told

Measure = Callable[[Numbers], Numbers]  # weights of the cells [B, N] => [B]
Span = tuple[float, float]  # low, high


@dataclass(frozen=True)
class SamplingNoise:
    """Sampling variances of the cells' two rates, and their covariance: each [N]."""

    world: Numbers
    truth: Numbers
    covariance: Numbers


def noises(pairs: Sequence[CellPair], separate: bool = False) -> dict[str, SamplingNoise]:
    """The noise of the cells, by what is known of their trials' initial frames.

    "measured" where single trials are known. Else "independent", as from different frames, and
    "shared", as from the same frames where these decide the outcome as far as the two rates allow;
    the truth lies between. separate: they are known to be different, so "shared" is left out.
    {} where a cell has no or one trial on either side, or there is no cell.
    """
    shared = [pair.shared for pair in pairs if pair.shared is not None]
    if pairs and len(shared) == len(pairs):
        columns = np.array([(s.world_variance, s.truth_variance, s.covariance) for s in shared])
        return {"measured": SamplingNoise(*columns.T)}
    counts = [(pair.world_trials or 0, pair.truth_trials or 0) for pair in pairs]
    if not pairs or min(map(min, counts)) < 2:
        return {}
    w, t = np.array([(pair.world, pair.truth) for pair in pairs]).T
    n, m = np.array(counts, np.float64).T
    alone = SamplingNoise(w * (1 - w) / (n - 1), t * (1 - t) / (m - 1), np.zeros(len(pairs)))
    if separate:
        return {"independent": alone}
    frames = np.minimum(n, m)  # more trials than frames on the world's side are repeats
    alike = np.minimum(w, t) - w * t  # the largest that rates allow: M. Fréchet (1951)
    together = SamplingNoise(w * (1 - w) / (frames - 1), alone.truth, alike / (m - 1))
    return {"independent": alone, "shared": together}


def noise_free_measures(cells: Cells, noise: SamplingNoise) -> dict[str, Measure]:
    """pearson, slope, intercept and noise_share as functions of the cells' weights; NaN where not
    defined: below three cells, or where nearly all spread is noise.

    slope, intercept: world = intercept + slope * truth.
    noise_share: part of the mean squared gap of cells that unlimited trials would take away.
    """
    return {
        "pearson": partial(_pearson, cells, noise),
        "slope": lambda weights: _line(cells, noise, weights)[0],
        "intercept": lambda weights: _line(cells, noise, weights)[1],
        "noise_share": partial(_noise_share, cells, noise),
    }


def _moments(
    cells: Cells, noise: SamplingNoise, weights: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Variances of world and truth, and their covariance, without noise; each [B]. NaN where less
    than LEAST_RELIABLE of an observed variance is left, or fewer than three cells count."""
    world, truth = (
        rates - correlation.mean(rates, weights)[..., None] for rates in (cells.world, cells.truth)
    )
    total = weights.sum(axis=-1)
    kept = 1 - 1 / np.where(total > 0, total, np.nan)  # noise that is left around the mean
    enough = np.count_nonzero(weights, axis=-1) >= correlation.MIN_POINTS

    def free(products: Numbers, noises: Numbers, least: float) -> Numbers:
        observed = correlation.mean(products, weights)
        true = observed - kept * correlation.mean(noises, weights)
        defined = enough & (true >= least * observed) & (observed > correlation.NO_SPREAD**2)
        return np.asarray(np.where(defined, true, np.nan))

    covariance = correlation.mean(world * truth, weights)
    covariance = covariance - kept * correlation.mean(noise.covariance, weights)
    return (
        free(world**2, noise.world, LEAST_RELIABLE),
        free(truth**2, noise.truth, LEAST_RELIABLE),
        covariance,
    )


def _pearson(cells: Cells, noise: SamplingNoise, weights: Numbers) -> Numbers:
    world, truth, covariance = _moments(cells, noise, weights)
    return np.asarray(np.clip(covariance / np.sqrt(world * truth), -1.0, 1.0))


def noise_free_span(cells: Cells, noise: SamplingNoise, span: Span | None) -> Span | None:
    """Interval of the noise-free r from that of the plain r: its ends mapped as r itself is, with
    the noise taken as known (J. E. Hunter and F. L. Schmidt, Methods of Meta-Analysis, 3rd ed.,
    section 3.3). Draws of the corrected r itself pile up at 1. None where r is not defined."""
    once = np.ones((1, len(cells.world)))
    free, seen = (float(_pearson(cells, n, once)[0]) for n in (noise, _no_noise(cells)))
    if span is None or np.isnan(free) or np.isnan(seen):
        return None
    world, truth, _ = _moments(cells, noise, once)
    plain_world, plain_truth, _ = _moments(cells, _no_noise(cells), once)
    scale = float(np.sqrt(plain_world * plain_truth / (world * truth))[0])
    low, high = (float(np.clip(free + scale * (end - seen), -1.0, 1.0)) for end in span)
    return low, high


def _no_noise(cells: Cells) -> SamplingNoise:
    nothing = np.zeros_like(cells.world)
    return SamplingNoise(nothing, nothing, nothing)


def _line(cells: Cells, noise: SamplingNoise, weights: Numbers) -> tuple[Numbers, Numbers]:
    _, truth, covariance = _moments(cells, noise, weights)
    slope = covariance / truth
    means = (correlation.mean(rates, weights) for rates in (cells.world, cells.truth))
    world_mean, truth_mean = means
    return slope, world_mean - slope * truth_mean


def _noise_share(cells: Cells, noise: SamplingNoise, weights: Numbers) -> Numbers:
    gaps = correlation.mean((cells.world - cells.truth) ** 2, weights)
    chance = correlation.mean(noise.world + noise.truth - 2 * noise.covariance, weights)
    enough = np.count_nonzero(weights, axis=-1) >= correlation.MIN_POINTS
    known = np.where(enough & (gaps > correlation.NO_SPREAD**2), gaps, np.nan)
    return np.asarray(np.clip(chance / known, 0.0, 1.0))
