"""Intervals and tests that hold for any number of trials: a gambler who bets against the mean m
does not get rich if the mean is m.

I. Waudby-Smith and A. Ramdas (2024), "Estimating means of bounded random variables by betting", J.
R. Stat. Soc. B 86, 1-27. Wealth that multiplies by 1 + bet (x - m) has expectation 1 if the mean is
m, whatever the distribution of x within its bounds; by Ville's inequality it ever reaches 1 / alpha
with probability alpha at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from worldgym.stats.per_frame import Indices, Numbers
from worldgym.stats.success_rates import Interval

MEANS = 1001  # candidates on [0, 1]; the interval is widened by one step of this grid
# share of the largest bet that cannot lose everything; narrower than the paper's 0.5 for wide
# bounds and n < 200
BOLDEST = 0.9
TINY = 1e-9  # keeps means off 0 and 1, where a bet has no bound
ROWS = 4096  # differences at once
RICHEST = 700.0  # largest log wealth that is distinguished; exp(710) overflows a float
STAKES = 100  # mixture of bets of the sequential test, a side


def betting_interval(x: Numbers, slack: Numbers, level: float = 0.95) -> Interval:
    """Interval of the mean in [0, 1] of values x [n] with x[i] in [-slack[i], 1 + slack[i]]: covers
    with `level` at least.

    The hedged capital interval with predictable plug-in bets (section 4.4 of the paper; their
    bounds of [0, 1] are widened by slack[i], which may depend on earlier values only). The values
    must come in an order that does not depend on them. (0, 1) for n = 0, and close to it for n = 1.
    """
    n = len(x)
    alpha = 1 - level
    t = np.arange(1, n + 1)
    running = (0.5 + np.cumsum(x)) / (t + 1)
    spread = (0.25 + np.cumsum((x - running) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], spread[:-1]])[:n]  # what was known before the bet
    bets = np.sqrt(2 * math.log(2 / alpha) / (n * before))[:, None] if n else np.empty((0, 1))
    m = np.linspace(0.0, 1.0, MEANS)
    slack = np.maximum(slack[:, None], TINY)
    more = np.minimum(bets, BOLDEST / (m + slack))
    less = np.minimum(bets, BOLDEST / (1 - m + slack))
    gap = x[:, None] - m
    wealth = np.maximum(
        np.cumsum(np.log1p(more * gap), axis=0), np.cumsum(np.log1p(-less * gap), axis=0)
    )
    richest = wealth.max(axis=0, initial=0.0)
    beyond = richest - math.log(2 / alpha)  # half the money on either side
    kept = np.flatnonzero(beyond < 0)
    step = 1 / (MEANS - 1)
    if len(kept) == 0:  # possible, as Ville's inequality allows, with probability below alpha
        ends = np.clip([running[-1] - step, running[-1] + step], 0.0, 1.0)
        return float(ends[0]), float(ends[1])
    low, high = (_between(m, beyond, int(i), out) for i, out in ((kept[0], -1), (kept[-1], 1)))
    return max(0.0, low - step), min(1.0, high + step)


def _between(m: Numbers, beyond: Numbers, inside: int, out: int) -> float:
    """Where `beyond` passes 0 between a candidate that is kept and its neighbour, which is not."""
    outside = inside + out
    if not 0 <= outside < len(m):
        return float(m[inside])
    share = beyond[inside] / (beyond[inside] - beyond[outside])
    return float(m[inside] + share * (m[outside] - m[inside]))


def wealth(differences: Numbers, ends: Indices | None = None) -> Numbers:
    """Wealth after the differences [T] in [-1, 1], from 1, of a gambler who bets that their mean is
    not 0: [T] after each of them, or only after the first `ends` [R] of them, each 1 or more.

    A mixture of constant bets, uniform on [-1, 1]: H. Robbins (1970), Ann. Math. Statist. 41,
    1397-1409. It is an e-value at any moment: look after every trial, stop when you like, and it
    exceeds 1 / alpha with probability alpha at most, if the mean of each next difference given the
    earlier ones is 0.
    """
    stakes = (np.arange(2 * STAKES) + 0.5) / STAKES - 1
    values, which = np.unique(differences, return_inverse=True)  # whole scores have three
    gains = np.log1p(np.outer(values, stakes))
    places = np.arange(len(differences)) if ends is None else ends - 1
    found = np.empty(len(places))
    so_far = np.zeros((1, len(stakes)))
    for start in range(0, len(differences), ROWS):  # in parts, so that memory stays bounded
        sums = np.cumsum(np.concatenate([so_far, gains[which[start : start + ROWS]]]), axis=0)[1:]
        here = (places >= start) & (places < start + ROWS)
        found[here] = np.exp(np.minimum(sums[places[here] - start], RICHEST)).mean(axis=1)
        so_far = sums[-1:]
    return found


def anytime_interval(differences: Numbers, level: float = 0.95) -> Interval:
    """Interval in [-1, 1] of the mean of differences [T] that may be looked at after every trial;
    (-1, 1) for T = 0.

    All m that a mixture of bets against m has not refuted; excludes 0 if and only if `wealth` is
    now 1 / (1 - level) or more."""
    values, counts = np.unique(differences, return_counts=True)  # whole scores have three
    x = (1 + values) / 2
    stakes = (np.arange(STAKES) + 0.5) / STAKES

    def refuted(mean: float) -> bool:
        """Whether the wealth against a mean of x in [0, 1] is high enough. It is convex in the
        mean, and at most 1 at x's own."""
        mean = min(max(mean, TINY), 1 - TINY)
        more = counts @ np.log1p(np.outer(x / mean - 1, stakes))
        less = counts @ np.log1p(np.outer((1 - x) / (1 - mean) - 1, stakes))
        return float(np.logaddexp.reduce(np.concatenate([more, less]))) >= math.log(
            2 * STAKES / (1 - level)
        )

    middle = float(counts @ x / counts.sum()) if len(x) else 0.5
    return 2 * _edge(refuted, middle, 0.0) - 1, 2 * _edge(refuted, middle, 1.0) - 1


def _edge(refuted: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where the refuted means begin between one that is not and the end of [0, 1], to 2^-40; the
    end itself if they never do."""
    near = inside
    far = outside
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (near, middle) if refuted(middle) else (middle, far)
    return far
