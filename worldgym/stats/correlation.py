"""Correlations of weighted points, many weightings at once: the bootstrap, leave-one-out and the
plain value are one code path.

A whole number as weight counts a point so many times, so a resample is a row of counts. Shapes: x,
y [..., N]; weights [..., N]; results [...], which is [B] for weights [B, N]. NaN marks a
correlation that is not defined."""

from __future__ import annotations

import numpy as np

from worldgym.stats.per_frame import Indices, Numbers

MIN_POINTS = 3  # two points always lie on a line
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
    # ranks in [0, 1], whatever the number of points
    share = weights / np.where(total > 0, total, 1.0)
    return pearson(share @ _signs(x) / 2, share @ _signs(y) / 2, weights)


def kendall(x: Numbers, y: Numbers, weights: Numbers) -> Numbers:
    """tau-b, pairs in the same order minus pairs in opposite order, corrected for ties: M. G.
    Kendall (1945), Biometrika 33, 239-251. x, y [N]."""
    sign_x, sign_y = _signs(x), _signs(y)
    ordered_x = _pairs(abs(sign_x), weights)
    ordered_y = _pairs(abs(sign_y), weights)
    defined = (ordered_x > 0) & (ordered_y > 0) & (np.count_nonzero(weights, axis=-1) >= MIN_POINTS)
    tau = _pairs(sign_x * sign_y, weights) / np.sqrt(
        np.where(defined, ordered_x * ordered_y, np.nan)
    )
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


def _signs(x: Numbers) -> Numbers:
    """[j, i]: the sign of x[i] - x[j], differences by rounding alone being ties."""
    differences = x[None, :] - x[:, None]
    return np.where(abs(differences) > NO_SPREAD, np.sign(differences), 0.0)


def _pairs(matrix: Numbers, weights: Numbers) -> Numbers:
    """Sum over ordered pairs of points, each as often as the product of their weights."""
    return np.asarray(np.sum((weights @ matrix) * weights, axis=-1))
