"""Is A better than B? Differences of success rates, paired on common trials or not, and many of
them at once.

Scores lie in [0, 1]. Interval and p-value answer the question from two sides and may differ a
little near the limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from scipy.special import bdtr, ndtri

from worldgym.stats.per_frame import Indices, Labels, Numbers, clustered_mean, label_numbers
from worldgym.stats.success_rates import Interval, effective_trials, wilson_interval, worth
from worldgym.types import ROUNDING

FLIPS = 10_000  # random divisions of a permutation test
GRID = 1 << 14  # steps of all differences together, where they have to be rounded
BESIDE = 1e-10
BESIDE_HALF = 1e-6  # halves are all rounded up, whatever their last bits
MAX_BARNARD = 200  # trials per side; the exact test's work grows with their product
LARGEST = 1.0  # variance of a difference of two scores
SMALLEST = float(np.finfo(np.float64).tiny)  # p-value


@dataclass(frozen=True)
class Difference:
    """Rate of A minus rate of B over n pairs (or, unpaired, n trials in all): value, 95 % interval,
    p-value of "no difference".

    initial_frames: number of those that they come from (unpaired: of the side that has fewer).
    Interval and p-value are about new frames like these, so a single frame says little. value is
    None, the interval (-1, 1) and p 1 where there is nothing to compare.
    """

    value: float | None
    low: float
    high: float
    p: float
    n: int
    initial_frames: int = 0


NOTHING = Difference(None, -1.0, 1.0, 1.0, 0)


def paired_difference(a: Numbers, b: Numbers, frames: Labels, level: float = 0.95) -> Difference:
    """For scores a, b [N] of two policies in the same trials, and the trials' initial frames.

    Interval: see `paired_interval`. p: McNemar's exact test; with repeats or partial credit the
    sign-flip test over initial frames, of which McNemar's is a special case: 1 for a single frame.
    """
    if len(a) == 0:
        return NOTHING
    low, high = paired_interval(a, b, frames, level)
    frame_sums = np.bincount(label_numbers(frames), a - b).astype(np.float64)
    p = sign_flip_p(frame_sums)
    return Difference(float(np.mean(a - b)), low, high, p, len(a), len(frame_sums))


def paired_interval(a: Numbers, b: Numbers, frames: Labels, level: float = 0.95) -> Interval:
    """Tango's interval with the trials counted at their effective number, as for a single rate (see
    success_rates.py). N >= 1. With one whole score per frame this is Tango's interval.
    """
    d = a - b
    gain = float(np.maximum(d, 0).mean())
    loss = float(np.maximum(-d, 0).mean())
    unit_variance = max(0.0, gain + loss - (gain - loss) ** 2)
    n = worth(unit_variance, clustered_mean(d, frames), level, LARGEST)
    return tango_interval(gain * n, loss * n, n, level)


def unpaired_difference(
    a: Numbers, a_frames: Labels, b: Numbers, b_frames: Labels, level: float = 0.95
) -> Difference:
    """For scores a [N] and b [M] of separate trials, each with its initial frames.

    Interval: Newcombe's, from Wilson intervals at the effective numbers of trials. p: Barnard's
    exact test; with repeats, partial credit or more than 200 trials per side the permutation test
    over initial frames, which weigh as many as their trials.
    """
    if len(a) == 0 or len(b) == 0:
        return NOTHING
    rates = float(a.mean()), float(b.mean())
    trials = effective_trials(a, a_frames, level), effective_trials(b, b_frames, level)
    low, high = newcombe_interval(rates, trials, level)
    sides = clustered_mean(a, a_frames), clustered_mean(b, b_frames)
    means = sides[0].means, sides[1].means
    weights = sides[0].counts, sides[1].counts
    whole = all(np.all(abs(side - side.round()) < ROUNDING) for side in (a, b))
    single = len(means[0]) == len(a) <= MAX_BARNARD and len(means[1]) == len(b) <= MAX_BARNARD
    p = barnard_p(a, b) if whole and single else permutation_p(*means, weights=weights)
    return Difference(rates[0] - rates[1], low, high, p, len(a) + len(b), min(map(len, means)))


def tango_interval(gain: float, loss: float, n: float, level: float = 0.95) -> Interval:
    """Score interval of a difference of paired rates: T. Tango (1998), Statistics in Medicine 17,
    891-908.

    gain, loss: pairs in which only A, or only B, succeeded, of n > 0; they need not be whole.
    Consistent with McNemar's asymptotic test; n = 1 without either gives (-0.79, 0.79).
    """
    if min(gain, loss) < 0 or gain + loss > n * (1 + ROUNDING) or n <= 0:
        raise ValueError(
            f"discordant pairs must be numbers that fit into all pairs, not {gain} and {loss} of "
            f"{n}"
        )
    z = float(ndtri((1 + level) / 2))
    observed = (gain - loss) / n

    def excess(difference: float, wanted: float) -> float:
        """Distance of the observation from a true difference, in standard deviations, less
        `wanted`, times the deviation."""
        B = (2 * n - gain + loss) * difference - gain - loss
        C = -loss * difference * (1 - difference)
        # most likely probability that only B succeeds
        only_b = (math.sqrt(max(0.0, B * B - 8 * n * C)) - B) / (4 * n)
        variance = n * (2 * only_b + difference * (1 - difference))
        return gain - loss - n * difference - wanted * math.sqrt(max(0.0, variance))

    # without discordant pairs, or with nothing else, both terms vanish at the observed difference
    # itself: start beside it
    low = _crossing(lambda difference: excess(difference, z), -1.0, observed - BESIDE)
    high = _crossing(lambda difference: -excess(difference, -z), 1.0, observed + BESIDE)
    return low, high


def _crossing(excess: Callable[[float], float], end: float, beside: float) -> float:
    """Where `excess` falls to 0 on its way from the end of the range to the observation; an end
    itself where it does not change its sign by more than rounding."""
    if abs(beside) >= 1 or excess(end) <= 0:
        return end
    return beside if excess(beside) >= 0 else float(scipy.optimize.brentq(excess, end, beside))


def newcombe_interval(
    rates: tuple[float, float], trials: tuple[float, float], level: float = 0.95
) -> Interval:
    """Hybrid score interval of the difference of two independent rates: R. G. Newcombe (1998),
    Statistics in Medicine 17, 873-890, method 10. (-1, 1) if neither side has a trial."""
    p, q = rates
    p_low, p_high = wilson_interval(p * trials[0], trials[0], level)
    q_low, q_high = wilson_interval(q * trials[1], trials[1], level)
    return p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)


def mcnemar_p(gain: int, loss: int) -> float:
    """Exact two-sided p-value: Q. McNemar (1947), Psychometrika 12, 153-157, with the binomial. 1
    without discordant pairs."""
    return _probability(2 * float(bdtr(min(gain, loss), gain + loss, 0.5)))


def sign_flip_p(differences: Numbers) -> float:
    """Two-sided p-value that differences [G] are symmetric about 0, as they are if two policies are
    alike: R. A. Fisher (1935), The Design of Experiments, section 21. McNemar's where all are equal
    in size. Exact over all 2^G flips, however small: by convolution on a grid (M. Pagano and D.
    Tritchler (1983), J. Am. Stat. Assoc. 78, 435-440). Scores that are multiples of a common
    fraction lie on it; others are rounded to it first, which keeps the test exact, because sizes do
    not depend on the sign."""
    moved = differences[abs(differences) > ROUNDING]
    sizes = abs(moved)
    if len(moved) == 0 or np.ptp(sizes) < ROUNDING:
        return mcnemar_p(int(np.sum(moved > 0)), int(np.sum(moved < 0)))
    steps = _whole_steps(sizes)
    total = int(steps.sum())
    observed = abs(int(np.where(moved > 0, steps, -steps).sum()))
    return _probability(2 * float(_flipped_sums(np.sort(steps), (total - observed) // 2 + 1).sum()))


def _flipped_sums(steps: Indices, count: int) -> Numbers:
    """[count]: probability that the sum of randomly flipped steps is 2 k - total, for k = 0, 1, ...
    Only the lower tail is needed, and larger sums cannot reach it. Small steps are taken first,
    while the row is short: 12 times as fast for 5,000 frames as whole rows in the frames' order."""
    shares = np.zeros(count)
    shares[0] = 1.0
    top = 1  # possible sums so far
    for step in steps:
        half = shares[:top] / 2
        shares[:top] = half
        top = min(top + int(step), count)
        if top > step:
            shares[step:top] += half[: top - step]
    return shares


def _whole_steps(sizes: Numbers) -> Indices:
    """Sizes [G] above 0 in steps of a grid, exactly where they are multiples of their smallest over
    1 to 12, else rounded."""
    for parts in range(1, 13):
        steps = sizes * parts / sizes.min()
        if steps.sum() <= GRID and np.all(abs(steps - np.round(steps)) < 1e-6):
            return np.asarray(np.round(steps), np.intp)
    return np.asarray(
        np.floor(sizes * max(GRID, 16 * len(sizes)) / sizes.sum() + 0.5 + BESIDE_HALF), np.intp
    )


def permutation_p(
    a: Numbers,
    b: Numbers,
    permutations: int = FLIPS,
    seed: int = 0,
    weights: tuple[Numbers, Numbers] | None = None,
) -> float:
    """Two-sided p-value that a [N] and b [M] come from one distribution, by the difference of means
    of random divisions.

    weights ([N], [M]): of the values in the mean of their own side, such as numbers of repeats,
    which go with them; only their proportions within a side count. None = all alike.
    """
    pooled = np.concatenate([a, b])
    each = np.ones_like(pooled)
    if weights is not None:
        each = np.concatenate([side / side.mean() for side in weights])
    N = len(a)

    def difference(order: Indices) -> Numbers:
        first, second = (
            (pooled[part] * each[part]).mean(axis=-1) / each[part].mean(axis=-1)
            for part in (order[..., :N], order[..., N:])
        )
        return np.asarray(abs(first - second))

    places = np.arange(len(pooled))
    rng = np.random.default_rng(seed)
    limit = difference(places) - ROUNDING * len(pooled)
    extreme = 0
    for batch in _batches(permutations):
        orders = rng.permuted(np.tile(places, (batch, 1)), axis=1)
        extreme += int(np.sum(difference(orders) >= limit))
    return (1 + extreme) / (1 + permutations)


def barnard_p(a: Numbers, b: Numbers) -> float:
    """Exact unconditional two-sided p-value for whole scores: G. A. Barnard (1947), Biometrika 34,
    123-138, pooled statistic."""
    wins_a, wins_b = round(float(a.sum())), round(float(b.sum()))
    if wins_a + wins_b in (0, len(a) + len(b)):
        return 1.0  # all alike
    return _probability(
        float(
            scipy.stats.barnard_exact([[wins_a, wins_b], [len(a) - wins_a, len(b) - wins_b]]).pvalue
        )
    )


def _probability(p: float) -> float:
    """At most 1, and never 0: a p-value too small for a number is not certainty."""
    return min(1.0, max(p, SMALLEST))


def _batches(total: int, size: int = 1000) -> list[int]:
    """total in parts of at most `size`, so that memory stays bounded for many frames."""
    return [min(size, total - start) for start in range(0, total, size)]


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values that stay valid however many there are: S. Holm (1979), Scand. J. Statist. 6, 65-70.
    In the order given."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, stepped)
    return [float(value) for value in adjusted]
