"""The bootstrap over groups: what is drawn again is the initial frame, the task or the policy,
never a single trial of it."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

from worldgym.stats.per_frame import Indices, Numbers
from worldgym.stats.success_rates import Interval

RESAMPLES = 2000
MIN_LEVELS = 5  # tasks or policies; a bootstrap over fewer says nothing of those not seen
NO_SPREAD = 1e-9  # of an interval, or relative to the values: rounding
NEARLY = 1 - 1e-9  # a coefficient of 1 has no place on Fisher's scale


def resample(groups: Indices, resamples: int = RESAMPLES, seed: int = 0) -> Numbers:
    """Weights [resamples, N]: how often each point counts when as many groups as there are are
    drawn with replacement."""
    G = groups.max(initial=-1) + 1
    counts = np.random.default_rng(seed).multinomial(G, np.full(G, 1 / G), resamples)
    return counts[:, groups].astype(np.float64)


def fisher_interval(
    point: float, draws: Numbers, groups: int, level: float = 0.95
) -> Interval | None:
    """Interval of a coefficient with values in [-1, 1], from bootstrap draws over `groups` groups;
    NaN draws are left out.

    Normal on the scale of R. A. Fisher (1921), Metron 1, 3-32, where the spread of r hardly depends
    on r, with the bootstrap's standard deviation. Student's quantile and the factor sqrt(G / (G -
    1)) make up for few groups: T. C. Hesterberg (2015), Am. Statistician 69, 371-386, section 5.3.
    (-1, 1) with a single group, or where over half of the draws are not defined. None without
    spread: few points in the same order keep it however often they are drawn."""
    known = draws[~np.isnan(draws)]
    if groups < 2 or 2 * len(known) <= len(draws):
        return -1.0, 1.0
    spread = float(np.arctanh(np.clip(known, -NEARLY, NEARLY)).std()) * math.sqrt(
        groups / (groups - 1)
    )
    middle = math.atanh(min(max(point, -NEARLY), NEARLY))
    half = spread * float(stdtrit(groups - 1, (1 + level) / 2))
    return _wide(min(point, math.tanh(middle - half)), max(point, math.tanh(middle + half)))


def normal_interval(
    point: float, draws: Numbers, groups: int, lowest: float = -math.inf, level: float = 0.95
) -> Interval | None:
    """Interval of a mean-like number, from bootstrap draws over `groups` groups, cut at `lowest`.

    Normal with the bootstrap's standard deviation, widened for few groups as `fisher_interval`.
    None with a single group, where over half of the draws are not defined, or where none differs.
    """
    known = draws[~np.isnan(draws)]
    if groups < 2 or 2 * len(known) <= len(draws):
        return None
    spread = float(known.std()) * math.sqrt(groups / (groups - 1))
    if spread <= NO_SPREAD * float(abs(known).max()):
        return None
    half = spread * float(stdtrit(groups - 1, (1 + level) / 2))
    return max(lowest, point - half), point + half


def regret_interval(
    point: float, draws: Numbers, groups: int, level: float = 0.95
) -> Interval | None:
    """Interval of a number that is 0 at best and that noise makes larger, such as a regret.

    From the lower end of the reflected bootstrap interval (A. C. Davison and D. V. Hinkley (1997),
    Bootstrap Methods and their Application, section 5.2), because resampling adds noise as sampling
    did, to the upper percentile; it holds the point. None with a single group, where over half of
    the draws are not defined, or without spread: few policies in the same order are no proof of a
    regret of 0.
    """
    known = draws[~np.isnan(draws)]
    if groups < 2 or 2 * len(known) <= len(draws):
        return None
    low, high = (float(end) for end in np.quantile(known, [(1 - level) / 2, (1 + level) / 2]))
    return _wide(max(0.0, min(point, low, 2 * point - high)), max(point, high))


def _wide(low: float, high: float) -> Interval | None:
    """None for an interval of no width, which would claim certainty."""
    return (low, high) if high - low > NO_SPREAD else None
