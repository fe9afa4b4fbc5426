"""A success rate and how sure we are of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

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


def wilson_interval(successes: float, trials: int, level: float = 0.95) -> Interval:
    """Wilson's score interval: E. B. Wilson (1927), J. Am. Stat. Assoc. 22, 209-212. (0, 1) without trials.

    Keeps close to its level on average, for n = 1 too. Partial credit is allowed: a score in [0, 1] of mean p varies
    by at most p (1 - p), so the interval errs on the wide side. Trials are taken as independent.
    """
    _check(successes, trials, level)
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    p, n = successes / trials, trials
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
    low = 0.0 if successes == 0 else _bisect(lambda p: _at_least(successes, trials, p) > tail)
    high = 1.0 if successes == trials else _bisect(lambda p: 1 - _at_least(successes + 1, trials, p) < tail)
    return low, high


def _at_least(k: int, n: int, p: float) -> float:
    """Probability of k or more successes in n trials of rate p, 0 < p < 1."""
    log_p, log_q, log_all = math.log(p), math.log1p(-p), math.lgamma(n + 1)
    terms = (log_all - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * log_p + (n - i) * log_q for i in range(k, n + 1))
    return math.fsum(map(math.exp, terms))


def _bisect(above: Callable[[float], bool]) -> float:
    """The point in (0, 1) where `above` turns from false to true, to 2^-50."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if above(middle) else (middle, high)
    return (low + high) / 2


def _check(successes: float, trials: int, level: float) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"successes must lie between 0 and the number of trials, not {successes} of {trials}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
