"""The bootstrap over groups: what is drawn again is the start frame, the task or the policy, never a single trial of it."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

from worldgym.stats.frames import Indices, Numbers
from worldgym.stats.rates import Interval

RESAMPLES = 2000
NEARLY = 1 - 1e-9  # a coefficient of 1 has no place on Fisher's scale


def resample(groups: Indices, resamples: int = RESAMPLES, seed: int = 0) -> Numbers:
    """Weights [resamples, N]: how often each point counts when as many groups as there are are drawn with replacement."""
    G = groups.max(initial=-1) + 1
    counts = np.random.default_rng(seed).multinomial(G, np.full(G, 1 / G), resamples)
    return counts[:, groups].astype(np.float64)


def fisher_interval(point: float, draws: Numbers, groups: int, level: float = 0.95) -> Interval:
    """Interval of a coefficient with values in [-1, 1], from bootstrap draws over `groups` groups; NaN draws are left out.

    Normal on the scale of R. A. Fisher (1921), Metron 1, 3-32, where the spread of r hardly depends on r, with the bootstrap's
    standard deviation. Student's quantile and the factor sqrt(G / (G - 1)) make up for few groups: T. C. Hesterberg (2015),
    Am. Statistician 69, 371-386, section 5.3. (-1, 1) with a single group, or where over half of the draws are not defined.
    """
    known = draws[~np.isnan(draws)]
    if groups < 2 or 2 * len(known) <= len(draws):
        return -1.0, 1.0
    spread = float(np.arctanh(np.clip(known, -NEARLY, NEARLY)).std()) * math.sqrt(groups / (groups - 1))
    middle, half = math.atanh(min(max(point, -NEARLY), NEARLY)), spread * float(stdtrit(groups - 1, (1 + level) / 2))
    return min(point, math.tanh(middle - half)), max(point, math.tanh(middle + half))
