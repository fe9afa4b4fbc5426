"""Strengths from verdicts of the kind "which of the two came closer?", ties included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtri

from worldgym.errors import InputError
from worldgym.stats.frames import Numbers
from worldgym.stats.rates import Interval

PRIOR = 3.0  # standard deviation of log strengths before any verdict: 95 % within a factor of 400


@dataclass(frozen=True)
class Verdicts:
    """Outcomes of one pair of policies (indices): how often a won, b won, and neither."""

    a: int
    b: int
    wins: float
    losses: float
    ties: float = 0.0


@dataclass(frozen=True)
class Strengths:
    """log strengths [P], which sum to 0, with 95 % intervals, and how readily ties occur (log nu; very negative without any).

    A gap of 1 in log strength means odds of e = 2.7 among the verdicts that are not ties.
    """

    values: tuple[float, ...]
    intervals: tuple[Interval, ...]
    log_ties: float


def bradley_terry(verdicts: Sequence[Verdicts], policies: int, level: float = 0.95) -> Strengths:
    """The model of R. A. Bradley and M. E. Terry (1952), Biometrika 39, 324-345, with ties after R. R. Davidson (1970),
    J. Am. Stat. Assoc. 65, 317-328: a wins : b wins : tie = s_a : s_b : nu sqrt(s_a s_b).

    Log strengths and log nu have a weak normal prior, so that a policy that won always gets a finite strength; the most
    probable values, intervals from the curvature there. InputError for a pair that names an unknown policy or one policy twice.
    """
    for v in verdicts:
        if not (0 <= v.a < policies and 0 <= v.b < policies and v.a != v.b and min(v.wins, v.losses, v.ties) >= 0):
            raise InputError(f"{v} is not a pair of two of {policies} policies with counts of 0 or more; mend it")
    pairs = np.array([(v.a, v.b) for v in verdicts], int).reshape(-1, 2)
    counts = np.array([(v.wins, v.losses, v.ties) for v in verdicts], np.float64).reshape(-1, 3)
    X = _design(pairs, policies)  # [M, 3, P + 1]: log odds of the three outcomes as linear functions
    found = minimize(_loss, np.zeros(policies + 1), (X, counts), jac=True, method="L-BFGS-B", options={"gtol": 1e-8})
    contrast = np.eye(policies, policies + 1) - np.append(np.full(policies, 1 / policies), 0.0)  # less the mean of all
    covariance = np.linalg.inv(_curvature(found.x, X, counts))
    half = float(ndtri((1 + level) / 2)) * np.sqrt(np.einsum("pi,ij,pj->p", contrast, covariance, contrast))
    values = contrast @ found.x
    intervals = tuple((float(v - h), float(v + h)) for v, h in zip(values, half, strict=True))
    return Strengths(tuple(values.tolist()), intervals, float(found.x[-1]))


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
    loss = -float(np.sum(counts * np.log(np.maximum(p, 1e-300)))) + float(theta @ theta) / (2 * PRIOR**2)
    expected = counts.sum(axis=1, keepdims=True) * p
    return loss, np.einsum("mk,mki->i", expected - counts, X) + theta / PRIOR**2


def _curvature(theta: Numbers, X: Numbers, counts: Numbers) -> Numbers:
    p, n = _probabilities(theta, X), counts.sum(axis=1)
    mean = np.einsum("mk,mki->mi", p, X)
    second = np.einsum("m,mk,mki,mkj->ij", n, p, X, X) - np.einsum("m,mi,mj->ij", n, mean, mean)
    return np.asarray(second + np.eye(len(theta)) / PRIOR**2)
