"""A success rate and how sure we are of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

from worldgym.stats.per_frame import ClusteredMean, Labels, Numbers, clustered_mean

Interval = tuple[float, float]
LARGEST = 0.25  # variance of a score in [0, 1]


@dataclass(frozen=True)
class Rate:
    """successes of trials with an interval [low, high] in [0, 1]. Partial credit makes `successes`
    fractional.

    frames: number of initial frames that the trials come from; None = every trial has its own.
    """

    successes: float
    trials: int
    low: float
    high: float
    frames: int | None = None

    @property
    def value(self) -> float | None:
        """The rate in [0, 1]; None without trials."""
        return self.successes / self.trials if self.trials else None


def wilson_rate(successes: float, trials: int, level: float = 0.95) -> Rate:
    """The rate with its Wilson interval."""
    return Rate(successes, trials, *wilson_interval(successes, trials, level))


def score_rate(scores: Sequence[float], frames: Labels, level: float = 0.95) -> Rate:
    """The rate of scores in [0, 1], each with the name of its initial frame: Wilson's interval at
    the effective number of trials.

    One whole score per frame gives Wilson's own interval. Repeats of a frame widen it as far as
    they resemble each other, and partial credit narrows it as far as scores vary less than whole
    successes would. The interval is about new initial frames like these: a single one, however
    often repeated, is worth one trial. Wilson's (0, 1) without trials.
    """
    values = np.asarray(scores, np.float64)
    if len(values) == 0:
        return Rate(0.0, 0, *wilson_interval(0, 0, level), frames=0)
    total = math.fsum(scores)
    found = clustered_mean(values, frames)
    n = worth(_unit_variance(values), found, level)
    return Rate(total, len(values), *_wilson(total / len(values), n, level), frames=found.frames)


def effective_trials(scores: Numbers, frames: Labels, level: float = 0.95) -> float:
    """How many independent whole trials would leave the mean of these scores [N] as uncertain as it
    is. N >= 1; see `worth`."""
    return worth(_unit_variance(scores), clustered_mean(scores, frames), level)


def worth(
    unit_variance: float, found: ClusteredMean, level: float, largest: float = LARGEST
) -> float:
    """How many independent trials of this variance leave a mean as uncertain as it is.

    unit_variance / variance, with Student's quantile in the normal's place: E. L. Korn and B. I.
    Graubard (1998), Survey Methodology 24, 193-201; with Wilson's interval: N. Dean and M. Pagano
    (2015), J. Survey Stat. Methodol. 3, 484-503.

    Never below K, what the frames are worth, which repeats that are all alike would give; and never
    above K (1 + K unit_variance / (2 largest)), `largest` being the largest variance possible. Few
    frames that happen to agree, or that all fail, have not shown that frames do not differ: without
    that bound three scores of 0.4 would have no interval at all, and rates near 0 and 1 of frames
    that differ much would be held in 89 % of studies instead of 95. This bound is our own.
    """
    K = found.worth
    if found.frames < 2:
        return K
    tail = (1 - level) / 2
    student = float(ndtri(tail) / stdtrit(max(K - 1, 1.0), tail)) ** 2
    most = K * (1 + K * unit_variance / (2 * largest))
    if found.variance * most <= unit_variance * student:
        return most
    return max(K, student * unit_variance / found.variance)


def wilson_interval(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Wilson's score interval: E. B. Wilson (1927), J. Am. Stat. Assoc. 22, 209-212. (0, 1) without
    trials.

    Partial credit is allowed: a score in [0, 1] of mean p varies by at most p (1 - p), so the
    interval errs on the wide side. Trials are taken as independent. How often it holds the rate is
    in docs/statistics.md.
    """
    _check(successes, trials, level)
    return (0.0, 1.0) if trials == 0 else _wilson(min(1.0, successes / trials), trials, level)


def _wilson(p: float, n: float, level: float) -> Interval:
    z = float(ndtri((1 + level) / 2))
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return min(p, low), max(p, high)  # rounding never leaves p outside


def _unit_variance(scores: Numbers) -> float:
    p = float(scores.mean())
    return max(0.0, p * (1 - p))  # rounding never leaves it below 0


def clopper_pearson_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """The exact interval: C. J. Clopper and E. S. Pearson (1934), Biometrika 26, 404-413. (0, 1)
    without trials.

    Covers the true rate with at least `level`, so it is wider than Wilson's. Whole successes only.
    Each end is the rate at which the observed count, or one further out, has probability (1 -
    level) / 2."""
    _check(successes, trials, level)
    if successes != int(successes):
        raise ValueError(
            f"the exact interval needs whole successes, not {successes}; use Wilson's for partial "
            f"credit"
        )
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = (
        1.0
        if successes == trials
        else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    )
    return low, high


def _check(successes: float, trials: float, level: float) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(
            f"successes must lie between 0 and the number of trials, not {successes} of {trials}"
        )
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
