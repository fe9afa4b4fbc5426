"""Correlations of weighted points, many weightings at once: the bootstrap, leave-one-out and the
plain value are one code path.

A whole number as weight counts a point so many times, so a resample is a row of counts. Shapes: x,
y [..., N]; weights [..., N]; results [...], which is [B] for weights [B, N]. NaN marks a
correlation that is not defined."""

from __future__ import annotations

import numpy as np

from worldgym.stats.per_frame import Indices, Numbers

MIN_POINTS = 3  # two points always lie on a line
ROWS = 1024  # of all pairs of points that are compared at once: bounds memory, not time
NO_SPREAD = 1e-9  # standard deviation of rates in [0, 1] below which only rounding is left


def pearson(x: Numbers, y: Numbers, weights: Numbers) -> Numbers:
    """Product-moment correlation: K. Pearson (1895), Proc. R. Soc. 58, 240-242."""
    x, y = x - mean(x, weights)[..., None], y - mean(y, weights)[..., None]
    spread_x = np.sqrt(mean(x * x, weights))
    spread_y = np.sqrt(mean(y * y, weights))
    defined = (
        (spread_x > NO_SPREAD)
        & (spread_y > NO_SPREAD)
        & (np.count_nonzero(weights, axis=-1) >= MIN_POINTS)
    )
    r = mean(x * y, weights) / np.where(defined, spread_x * spread_y, np.nan)
    return np.clip(r, -1.0, 1.0)


def spearman(x: Numbers, y: Numbers, weights: Numbers) -> Numbers:
    """Pearson's r of the ranks, ties sharing their mean rank: C. Spearman (1904), Am. J. Psychol.
    15, 72-101. x, y [N]."""
    total = np.sum(weights, axis=-1, keepdims=True)
    # ranks in [-1/2, 1/2], whatever the number of points
    share = weights / np.where(total > 0, total, 1.0)
    return pearson(_ranks(x, share), _ranks(y, share), weights)


def kendall(x: Numbers, y: Numbers, weights: Numbers) -> Numbers:
    """tau-b, pairs in the same order minus pairs in opposite order, corrected for ties: M. G.
    Kendall (1945), Biometrika 33, 239-251. x, y [N]."""
    both, ordered_x, ordered_y = np.zeros((3, *weights.shape[:-1]))
    for rows in np.array_split(np.arange(len(x)), max(-(-len(x) // ROWS), 1)):
        sign_x, sign_y = _signs(x, rows), _signs(y, rows)
        both += _pairs(sign_x * sign_y, rows, weights)
        ordered_x += _pairs(abs(sign_x), rows, weights)
        ordered_y += _pairs(abs(sign_y), rows, weights)
    defined = (ordered_x > 0) & (ordered_y > 0) & (np.count_nonzero(weights, axis=-1) >= MIN_POINTS)
    tau: Numbers = both / np.sqrt(np.where(defined, ordered_x * ordered_y, np.nan))
    return np.clip(tau, -1.0, 1.0)


def centred(x: Numbers, weights: Numbers, groups: Indices) -> Numbers:
    """x minus the weighted mean of its group. groups [N] counts from 0. A group without weight
    keeps its values."""
    member = np.eye(groups.max(initial=-1) + 1)[groups]  # [N, G]
    total = weights @ member
    means = (weights * x) @ member / np.where(total > 0, total, 1.0)
    return x - means[..., groups]


def mean(x: Numbers, weights: Numbers) -> Numbers:
    """Weighted mean over the last axis; NaN without weight."""
    total = np.sum(weights, axis=-1)
    return np.asarray(np.sum(weights * x, axis=-1) / np.where(total > 0, total, np.nan))


def _ranks(x: Numbers, share: Numbers) -> Numbers:
    """Half of the share of points below each, less half of that above it.   share [..., N]: of the
    weight of all. Differences by rounding alone are ties."""
    order = np.argsort(x, kind="stable")
    above = np.diff(x[order], append=np.inf) > NO_SPREAD  # the next one is
    ends = np.flatnonzero(above)  # the last of each tie
    tie: Indices = np.cumsum(above) - above
    sums = np.cumsum(share[..., order], axis=-1)
    through = sums[..., ends][..., tie]
    before = np.concatenate([np.zeros_like(sums[..., :1]), sums[..., ends]], axis=-1)[..., tie]
    ranks = np.empty_like(sums)
    ranks[..., order] = (before - (sums[..., -1:] - through)) / 2
    return ranks


def _signs(x: Numbers, rows: Indices) -> Numbers:
    """[rows, i]: the sign of x[i] - x[row], differences by rounding alone being ties."""
    differences = x[None, :] - x[rows, None]
    return np.where(abs(differences) > NO_SPREAD, np.sign(differences), 0.0)


def _pairs(matrix: Numbers, rows: Indices, weights: Numbers) -> Numbers:
    """Sum over ordered pairs of a row and a point, each as often as the product of their
    weights."""
    return np.asarray(np.sum((weights[..., rows] @ matrix) * weights, axis=-1))
