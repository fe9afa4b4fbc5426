"""Which policy is best, and how probable is each order?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldgym.stats.frames import Numbers, numbered

DRAWS = 4000
ORDERS = 10  # the most probable ones that are kept


@dataclass(frozen=True)
class Ranking:
    """Probabilities over policies in the order given, from draws: those described in `ranking`, or strengths (bradley_terry.py).

    best [P]:        probability that the policy is the best.
    above [P][P]:    probability that the row's policy is better than the column's; the diagonal is 0.5.
    ranks [P]:       central 95 % of its rank, (highest, lowest), 1 being the best.
    orders:          the most probable orders, as indices of policies, best first, with their probabilities.
    """

    best: tuple[float, ...]
    above: tuple[tuple[float, ...], ...]
    ranks: tuple[tuple[int, int], ...]
    orders: tuple[tuple[tuple[int, ...], float], ...]

    def named(self, policies: Sequence[str]) -> dict[str, Any]:
        """Plain JSON with the policies' names; an order is {policies, probability}."""
        return {
            "policies": list(policies),
            "best": list(self.best),
            "above": [list(row) for row in self.above],
            "ranks": [list(ends) for ends in self.ranks],
            "orders": [{"policies": [policies[i] for i in order], "probability": share} for order, share in self.orders],
        }


def ranking(scores: Numbers, frames: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Ranking:
    """From scores [P, N] in [0, 1] of P >= 1 policies in N trials (NaN = not scored) and the trials' start frames [N].

    Bayesian bootstrap: start frames get random weights, the same for every policy, so that pairing counts: D. B. Rubin (1981),
    Ann. Statist. 9, 130-134. Each policy also gets one added frame of success and one of failure, weighted at random, which makes
    the posterior of a single policy with whole scores the beta of a uniform prior; without them 20 of 20 against 19 of 20
    would be certain. A policy without trials has a uniform rate.
    """
    return ranked(posterior_scores(scores, frames, draws, seed))


def ranked(values: Numbers) -> Ranking:
    """From draws [D, P] of the policies' values, P >= 1; the higher value is the better."""
    D, P = values.shape
    order = np.argsort(-values, axis=1)
    ranks = np.argsort(order, axis=1) + 1
    above = (values[:, :, None] > values[:, None, :]).mean(axis=0) + np.eye(P) / 2
    low, high = np.quantile(ranks, [0.025, 0.975], axis=0, method="closest_observation")
    common = Counter(map(tuple, order.tolist())).most_common(ORDERS)
    return Ranking(
        best=tuple((ranks == 1).mean(axis=0).tolist()),
        above=tuple(map(tuple, above.tolist())),
        ranks=tuple((int(a), int(b)) for a, b in zip(low, high, strict=True)),
        orders=tuple((indices, count / D) for indices, count in common),
    )


def posterior_scores(scores: Numbers, frames: Sequence[str], draws: int, seed: int) -> Numbers:
    """Draws [draws, P] of the policies' rates."""
    rng = np.random.default_rng(seed)
    known = ~np.isnan(scores)
    group, G = numbered(frames), len(set(frames))
    counts, sums = (
        np.array([np.bincount(group, row, G) for row in values]).reshape(len(scores), G)  # [P, G]
        for values in (known.astype(np.float64), np.where(known, scores, 0.0))
    )
    repeats = counts.sum(axis=1) / np.maximum(np.count_nonzero(counts, axis=1), 1)
    added = np.where(repeats > 0, repeats, 1.0) * rng.exponential(size=(2, draws, len(scores)))  # weighs as much as a frame
    weights = rng.exponential(size=(draws, G))
    return np.asarray((weights @ sums.T + added[0]) / (weights @ counts.T + added.sum(axis=0)))
