"""Strengths from verdicts of the kind "which of the two did better?", ties included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from scipy.special import ndtri, stdtrit

from worldgym.errors import InputError
from worldgym.stats.per_frame import Numbers, label_numbers
from worldgym.stats.ranking import DRAWS, Ranking, ranked
from worldgym.stats.success_rates import Interval

PRIOR = 3.0  # standard deviation of log strengths before any verdict: 95 % within a factor of 400


@dataclass(frozen=True)
class Verdicts:
    """Outcomes of one pair of policies (indices): how often a won, b won, and neither.

    frame: initial frame of these verdicts, which are correlated; None = they are independent of all
    others."""

    a: int
    b: int
    wins: float
    losses: float
    ties: float = 0.0
    frame: str | None = None


@dataclass(frozen=True)
class Strengths:
    """log strengths [P], which sum to 0, with 95 % intervals, and how readily ties occur (log nu;
    very negative without any).

    A gap of 1 in log strength means odds of e = 2.7 among the verdicts that are not ties. factors
    [P]: how many times as uncertain (in variance) each is as if all verdicts were independent, at
    least 1. frames: number of initial frames that the verdicts name; a single one tells nothing
    about the correlation of verdicts. ranking: probabilities of orders, from the normal
    distribution that the intervals come from."""

    values: tuple[float, ...]
    intervals: tuple[Interval, ...]
    log_ties: float
    factors: tuple[float, ...]
    ranking: Ranking
    frames: int = 0


def bradley_terry(
    verdicts: Sequence[Verdicts], policies: int, level: float = 0.95, seed: int = 0
) -> Strengths:
    """The model of R. A. Bradley and M. E. Terry (1952), Biometrika 39, 324-345, with ties after R.
    R. Davidson (1970), J. Am. Stat. Assoc. 65, 317-328: a wins : b wins : tie = s_a : s_b : nu
    sqrt(s_a s_b).

    Log strengths and log nu have a weak normal prior, so that a policy that won always gets a
    finite strength; the most probable values, intervals from the curvature there, widened as far as
    the verdicts of one initial frame are correlated (see `_widening`). InputError for a pair that
    names an unknown policy or one policy twice. `seed` is the ranking's."""
    for v in verdicts:
        if not (
            0 <= v.a < policies
            and 0 <= v.b < policies
            and v.a != v.b
            and min(v.wins, v.losses, v.ties) >= 0
        ):
            raise InputError(
                f"{v} is not a pair of two of {policies} policies with counts of 0 or more; fix it"
            )
    pairs = np.array([(v.a, v.b) for v in verdicts], int).reshape(-1, 2)
    counts = np.array([(v.wins, v.losses, v.ties) for v in verdicts], np.float64).reshape(-1, 3)
    # [M, 3, P + 1]: log odds of the three outcomes as linear functions
    X = _design(pairs, policies)
    found = scipy.optimize.minimize(
        _loss,
        np.zeros(policies + 1),
        (X, counts),
        jac=True,
        method="L-BFGS-B",
        options={"gtol": 1e-8},
    )
    # minus the mean of all
    contrast = np.eye(policies, policies + 1) - np.append(np.full(policies, 1 / policies), 0.0)
    spread = contrast @ np.linalg.inv(_curvature(found.x, X, counts))  # [P, P + 1]
    together = _together(verdicts, found.x, X, counts)
    factors = _widening(together, spread, contrast, level)
    covariance = np.sqrt(np.outer(factors, factors)) * (spread @ contrast.T)
    half = float(ndtri((1 + level) / 2)) * np.sqrt(np.diag(covariance))
    values = contrast @ found.x
    intervals = tuple((float(v - h), float(v + h)) for v, h in zip(values, half, strict=True))
    draws = values + np.random.default_rng(seed).standard_normal((DRAWS, policies)) @ _root(
        covariance
    )
    return Strengths(
        tuple(values.tolist()),
        intervals,
        float(found.x[-1]),
        tuple(factors.tolist()),
        ranked(draws),
        together.frames,
    )


@dataclass(frozen=True)
class Together:
    """How far verdicts of one initial frame are correlated.

    products [P + 1, P + 1]: of the gradients of two verdicts, summed over all pairs of one frame.
    frames:                  number of frames.
    shared:                  share of the verdicts that have another of their frame, in [0, 1]."""

    products: Numbers
    frames: int
    shared: float


def _root(covariance: Numbers) -> Numbers:
    """The symmetric square root. Unlike other factors it is continuous: where eigenvalues are
    equal, as for equally good policies, eigenvectors depend on rounding."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _widening(together: Together, spread: Numbers, contrast: Numbers, level: float) -> Numbers:
    """Variance of each log strength over that of independent verdicts [P], at least 1.

    A rollout is compared with those of all other policies, so a lucky one wins all its comparisons.
    The variance that this adds is the middle term of the sandwich estimator of P. J. Huber (1967),
    Proc. 5th Berkeley Symp. 1, 221-233, over initial frames; it is estimated from them, so
    Student's quantile stands in the normal's place as far as verdicts share frames. Without it the
    intervals of eight policies cover 75 %.
    """
    added = np.diag(spread @ together.products @ spread.T) / np.diag(spread @ contrast.T)
    if together.frames < 2:
        return np.ones(len(added))
    tail = (1 - level) / 2
    student = float(stdtrit(together.frames - 1, tail) / ndtri(tail)) ** 2
    return np.maximum(1.0, (1 + added) * (1 + together.shared * (student - 1)))


def _together(
    verdicts: Sequence[Verdicts], theta: Numbers, X: Numbers, counts: Numbers
) -> Together:
    known = [i for i, v in enumerate(verdicts) if v.frame is not None]
    frames = label_numbers([str(verdicts[i].frame) for i in known])
    G = int(frames.max(initial=-1)) + 1
    if G < 2:
        return Together(np.zeros((len(theta), len(theta))), G, 0.0)
    X = X[known]
    counts = counts[known]
    from_mean = X - np.einsum("mk,mki->mi", _probabilities(theta, X), X)[:, None]
    gradients = np.einsum("mk,mki->mi", counts, from_mean)
    sums = np.zeros((G, len(theta)))
    np.add.at(sums, frames, gradients)
    products = sums.T @ sums - np.einsum("mk,mki,mkj->ij", counts, from_mean, from_mean)
    a_frame = np.bincount(frames, counts.sum(axis=1))
    others = np.clip(a_frame - 1, 0.0, 1.0)
    return Together(
        np.asarray(products * G / (G - 1)), G, float(a_frame @ others / max(a_frame.sum(), 1.0))
    )


def _design(pairs: np.ndarray[tuple[int, int], np.dtype[np.int_]], policies: int) -> Numbers:
    unit = np.eye(policies + 1)
    a, b = unit[pairs[:, 0]], unit[pairs[:, 1]]
    return np.stack([a, b, (a + b) / 2 + unit[-1]], axis=1)


def _probabilities(theta: Numbers, X: Numbers) -> Numbers:
    odds = X @ theta
    shares = np.exp(odds - odds.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _loss(theta: Numbers, X: Numbers, counts: Numbers) -> tuple[float, Numbers]:
    """Minus log posterior, which is convex, and its gradient."""
    p = _probabilities(theta, X)
    loss = -float(np.sum(counts * np.log(np.maximum(p, 1e-300)))) + float(theta @ theta) / (
        2 * PRIOR**2
    )
    expected = counts.sum(axis=1, keepdims=True) * p
    return loss, np.einsum("mk,mki->i", expected - counts, X) + theta / PRIOR**2


def _curvature(theta: Numbers, X: Numbers, counts: Numbers) -> Numbers:
    p = _probabilities(theta, X)
    n = counts.sum(axis=1)
    mean = np.einsum("mk,mki->mi", p, X)
    second = np.einsum("m,mk,mki,mkj->ij", n, p, X, X) - np.einsum("m,mi,mj->ij", n, mean, mean)
    return np.asarray(second + np.eye(len(theta)) / PRIOR**2)
