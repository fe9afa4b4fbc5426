"""The bootstrap over groups: what is drawn again is the start frame, the task or the policy, never a single trial of it."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, stdtrit

from worldgym.stats.frames import Indices, Numbers
from worldgym.stats.rates import Interval

RESAMPLES = 2000


def resample(groups: Indices, resamples: int = RESAMPLES, seed: int = 0) -> Numbers:
    """Weights [resamples, N]: how often each point counts when as many groups as there are are drawn with replacement."""
    G = groups.max(initial=-1) + 1
    counts = np.random.default_rng(seed).multinomial(G, np.full(G, 1 / G), resamples)
    return counts[:, groups].astype(np.float64)


def percentile_interval(draws: Numbers, groups: int, level: float = 0.95) -> Interval | None:
    """The expanded percentile interval of bootstrap draws over `groups` groups, 2 or more. Draws of NaN are left out.

    The plain percentile interval is too narrow for few groups; its tails are taken further out, so that for a mean it is about
    as wide as Student's: T. C. Hesterberg (2015), Am. Statistician 69, 371-386, section 5.3.
    None where more than half the draws are not defined.
    """
    known = draws[~np.isnan(draws)]
    if 2 * len(known) <= len(draws):
        return None
    tail = float(ndtr(math.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, (1 - level) / 2)))
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)
