"""A success rate and how sure we are of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

from worldgym.stats.frames import Numbers, frame_means

Interval = tuple[float, float]


@dataclass(frozen=True)
class Rate:
    """successes of trials with an interval [low, high] in [0, 1]. Partial credit makes `successes` fractional."""

    successes: float
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The rate in [0, 1]; None without trials."""
        return self.successes / self.trials if self.trials else None


def wilson_rate(successes: float, trials: int, level: float = 0.95) -> Rate:
    """The rate with its Wilson interval."""
    return Rate(successes, trials, *wilson_interval(successes, trials, level))


def score_rate(scores: Sequence[float], frames: Sequence[str], level: float = 0.95) -> Rate:
    """The rate of scores in [0, 1], each with the name of its start frame: Wilson's interval at the effective number of trials.

    One whole score a frame gives Wilson's own interval. Repeats of a frame widen it as far as they resemble each other,
    and partial credit narrows it as far as scores vary less than whole successes would.
    With a single frame the interval is about that frame alone. Wilson's (0, 1) without trials.
    """
    values = np.asarray(scores, np.float64)
    total = math.fsum(scores)
    if len(values) == 0:
        return wilson_rate(0.0, 0, level)
    p, n = total / len(values), effective_trials(values, frames, level)
    return Rate(total, len(values), *wilson_interval(p * n, n, level))


def effective_trials(scores: Numbers, frames: Sequence[str], level: float = 0.95) -> float:
    """How many independent whole trials would leave the mean of these scores [N] as uncertain as it is.

    p (1 - p) / Var(mean), with the variance between start frames (see frames.py) and Student's quantile in the normal's place;
    never below the number of frames, which repeats that are all alike would give. After E. L. Korn and B. I. Graubard (1998),
    Survey Methodology 24, 193-201; with Wilson's interval: N. Dean and M. Pagano (2015), J. Survey Stat. Methodol. 3, 484-503.
    """
    means, variance = frame_means(scores, frames)
    G, p = len(means), float(scores.mean())
    if G < 2:
        return float(len(scores))
    return widened(p * (1 - p), variance, G, level)


def widened(unit_variance: float, variance: float, groups: int, level: float) -> float:
    """unit_variance / variance trials, fewer by Student's factor for so many groups, and never below their number."""
    if variance <= 0:
        return float(groups)
    tail = (1 - level) / 2
    return max(float(groups), unit_variance / variance * float(ndtri(tail) / stdtrit(groups - 1, tail)) ** 2)


def wilson_interval(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Wilson's score interval: E. B. Wilson (1927), J. Am. Stat. Assoc. 22, 209-212. (0, 1) without trials.

    Keeps close to its level on average, for n = 1 too. Partial credit is allowed: a score in [0, 1] of mean p varies
    by at most p (1 - p), so the interval errs on the wide side. Trials are taken as independent.
    """
    _check(successes, trials, level)
    if trials == 0:
        return 0.0, 1.0
    z = float(ndtri((1 + level) / 2))
    p, n = min(1.0, successes / trials), trials
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half))  # rounding never leaves p outside


def clopper_pearson_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """The exact interval: C. J. Clopper and E. S. Pearson (1934), Biometrika 26, 404-413. (0, 1) without trials.

    Covers the true rate with at least `level`, so it is wider than Wilson's. Whole successes only.
    Each end is the rate at which the observed count, or one further out, has probability (1 - level) / 2.
    """
    _check(successes, trials, level)
    if successes != int(successes):
        raise ValueError(f"the exact interval needs whole successes, not {successes}; use Wilson's for partial credit")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high


def _check(successes: float, trials: float, level: float) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"successes must lie between 0 and the number of trials, not {successes} of {trials}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
