"""Error rates of several tasks and policies from few videos of each, shrunk towards each other.

A rate of policy p in task t is Beta(m_t kappa, (1 - m_t) kappa) about its task's mean m_t, and that
is Beta(mu nu, (1 - mu) nu) about the mean of all tasks: a hierarchical beta-binomial model, A.
Gelman et al. (2013), Bayesian Data Analysis, chapter 5. mu is taken as uniform, kappa and nu as
uniform in their logarithms; all are integrated out on a grid, so rates from few videos are shrunk
towards the others, rates from many videos hardly change, and how much tasks and policies differ is
learned, not assumed. No random numbers are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.special import betainc, gammaln

from worldgym.stats.per_frame import Numbers

CELLS = 64  # of the grid of rates, denser at 0 and 1
SPREADS = 2.0 ** np.arange(0, 10)  # nu: how alike tasks are, in videos
WITHIN = 2.0 ** np.arange(1, 11)  # kappa: how alike policies of one task are
MEANS = 24  # of mu
SMALLEST = 1e-300


@dataclass(frozen=True)
class Hits:
    """Hits among n videos of a policy in a task. Both may be fractional, because they are effective
    numbers."""

    task: str
    policy: str
    hits: float
    n: float


@dataclass(frozen=True)
class ShrunkRates:
    """What the videos say of a rate. likelihood: [kappa, cell] of each task's mean; weights:
    [kappa, mu, nu] of all of them together."""

    units: tuple[Hits, ...]
    likelihood: Mapping[str, Numbers]
    weights: Numbers

    @staticmethod
    def of(units: Sequence[Hits]) -> ShrunkRates:
        found: dict[str, Numbers] = {}
        for unit in units:
            found[unit.task] = found.get(unit.task, 0.0) + _log_beta_binomial(unit)
        prior = _prior_of_means()
        logs = np.zeros((len(WITHIN), *prior.shape[:2]))
        for log in found.values():
            top = log.max()
            told = np.einsum("kc,mnc->kmn", np.exp(log - top), prior)
            logs += np.log(np.maximum(told, SMALLEST)) + top
        weights = np.exp(logs - logs.max())
        return ShrunkRates(tuple(units), found, weights / weights.sum())

    def taken(self, count: int, seed: int) -> list[ShrunkRates]:
        """The same with what all tasks have in common taken as known, in `count` equally probable
        ways: rates of several tasks then err together, as they may."""
        even = (np.random.default_rng(seed).permutation(count) + 0.5) / count
        flat = np.searchsorted(np.cumsum(self.weights), even).clip(0, self.weights.size - 1)
        return [replace(self, weights=self._only(int(place))) for place in flat]

    def _only(self, place: int) -> Numbers:
        weights = np.zeros(self.weights.size)
        weights[place] = 1.0
        return weights.reshape(self.weights.shape)

    def posterior(self, task: str, policy: str) -> Numbers:
        """Probabilities of the cells of `grid()` for the rate of a policy in a task, new ones too.
        A policy with videos of its own there counts them directly."""
        own = [u for u in self.units if (u.task, u.policy) == (task, policy)]
        log = self.likelihood.get(task, np.zeros((len(WITHIN), CELLS)))
        for unit in own:
            log = log - _log_beta_binomial(unit)
        prior = _prior_of_means()
        told = np.exp(log - log.max())
        of_mean = np.zeros((len(WITHIN), CELLS))
        for k, weights in enumerate(self.weights):
            if not weights.any():
                continue
            share = prior * told[k]
            of_mean[k] = np.einsum("mn,mnc->c", weights / _total(share), share)
        rate = np.einsum("kc,kci->i", of_mean, _within_task())
        for unit in own:
            logs = unit.hits * np.log(grid()) + (unit.n - unit.hits) * np.log1p(-grid())
            rate = rate * np.exp(logs - logs.max())
        total: Numbers = rate / rate.sum()
        return total


@cache
def grid() -> Numbers:
    """Middles of the cells, evenly spaced in the arcsine of the square root."""
    return np.asarray(np.sin(np.pi / 2 * (np.arange(CELLS) + 0.5) / CELLS) ** 2)


@cache
def _edges() -> Numbers:
    return np.asarray(np.sin(np.pi / 2 * np.arange(CELLS + 1) / CELLS) ** 2)


@cache
def _prior_of_means() -> Numbers:
    """[mu, nu, cell]: of a task's mean, given the mean and the spread of all tasks."""
    mu = ((np.arange(MEANS) + 0.5) / MEANS)[:, None, None]
    nu = SPREADS[None, :, None]
    # so that even alike tasks may all lie near 0 or 1
    return _cell_masses(mu * nu, (1 - mu) * nu)


@cache
def _within_task() -> Numbers:
    """[kappa, cell of the task's mean, cell of a policy's rate]."""
    mean = grid()[None, :, None]
    kappa = WITHIN[:, None, None]
    return _cell_masses(mean * kappa, (1 - mean) * kappa)


def _cell_masses(a: Numbers, b: Numbers) -> Numbers:
    """Of a Beta(a, b), by cell along a last axis."""
    masses = np.diff(betainc(a, b, _edges()), axis=-1)
    return np.asarray(np.maximum(masses, 0.0) / masses.sum(-1, keepdims=True))


def _log_beta_binomial(unit: Hits) -> Numbers:
    """[kappa, cell of the task's mean]: of the unit's hits, up to a constant."""
    a = WITHIN[:, None] * grid()
    b = WITHIN[:, None] * (1 - grid())
    misses = unit.n - unit.hits
    return np.asarray(
        gammaln(a + unit.hits)
        + gammaln(b + misses)
        - gammaln(a + b + unit.n)
        - gammaln(a)
        - gammaln(b)
        + gammaln(a + b)
    )


def _total(share: Numbers) -> Numbers:
    """[mu, nu], never 0."""
    return np.asarray(np.maximum(share.sum(-1), SMALLEST))
