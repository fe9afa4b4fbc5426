"""Which policy is best, and how probable is each order?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from worldgym.stats.per_frame import Numbers, label_numbers
from worldgym.stats.success_rates import LARGEST

DRAWS = 4000
ORDERS = 10  # the most probable ones that are kept
# standard deviations of the policies' rates that may be, each as probable
SPREADS = np.geomspace(0.003, 1.0, 60)
TINY = 1e-9
Known = npt.NDArray[np.bool_]  # [P, N]: which policy was scored in which trial


@dataclass(frozen=True)
class Ranking:
    """Probabilities over policies in the order given, from draws: those described in `ranking`, or
    strengths (bradley_terry.py).

    best [P]:        probability that the policy is the best.
    above [P][P]:    probability that the row's policy is better than the column's; the diagonal is
                     0.5.
    ranks [P]:       central 95 % of its rank, (highest, lowest), 1 being the best.
    orders:          the most probable orders, as indices of policies, best first, with their
                     probabilities."""

    best: tuple[float, ...]
    above: tuple[tuple[float, ...], ...]
    ranks: tuple[tuple[int, int], ...]
    orders: tuple[tuple[tuple[int, ...], float], ...]

    def named(self, policies: Sequence[str]) -> PolicyRanking:
        """The same with the policies' names."""
        return PolicyRanking(
            policies=tuple(policies),
            best=self.best,
            above=self.above,
            ranks=self.ranks,
            orders=tuple(
                OrderProbability(tuple(policies[i] for i in order), share)
                for order, share in self.orders
            ),
        )


@dataclass(frozen=True)
class OrderProbability:
    """An order of all ranked policies, and how probable it is."""

    policies: tuple[str, ...]
    """best first"""
    probability: float
    """in [0, 1]"""


@dataclass(frozen=True, kw_only=True)
class PolicyRanking:
    """Probabilities of ranks. Policies that look alike are taken to be alike."""

    policies: tuple[str, ...]
    """the ranked policies; the further lists follow their order"""
    best: tuple[float, ...]
    """probability that a policy is the best"""
    above: tuple[tuple[float, ...], ...]
    """probability that the row's policy is better than the column's; 0.5 on the diagonal"""
    ranks: tuple[tuple[int, int], ...]
    """central 95 % of a policy's rank (highest, lowest); 1 is the best"""
    orders: tuple[OrderProbability, ...]
    """the most probable orders, at most 10"""


@dataclass(frozen=True, kw_only=True)
class CommonTrialRanking(PolicyRanking):
    """The ranking of a run's policies on their common trials."""

    values: tuple[float, ...]
    """success rate on common trials minus the mean of the ranked policies, in [-1, 1]"""
    trials: int
    """common trials that were used"""
    initial_frames: int
    """their initial frames"""


@dataclass(frozen=True)
class Table:
    """scores [P, N] in [0, 1] of P policies in N trials, NaN = not scored; the trials' initial
    frames [N] and tasks [N]."""

    scores: Numbers
    frames: Sequence[str]
    groups: Sequence[str]

    def of(self, policies: Sequence[int]) -> Table:
        """The same of these policies alone, and the trials in which two of them at least were
        scored."""
        scores = self.scores[list(policies)]
        shared = np.flatnonzero(
            np.count_nonzero(~np.isnan(scores), axis=0) >= min(2, len(policies))
        )
        chosen = shared.tolist()
        return Table(
            scores[:, shared], [self.frames[i] for i in chosen], [self.groups[i] for i in chosen]
        )


def ranking(table: Table, draws: int = DRAWS, seed: int = 0) -> Ranking:
    """Of P >= 1 policies that `comparable` found. Deterministic by seed."""
    return ranked(posterior(*contrasts(table), draws, seed))


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


def comparable(table: Table) -> list[int]:
    """The policies that can be ranked: each shares scored trials with the others, directly or
    through other policies, in every task. A policy without a trial of a hard task would otherwise
    be ranked by the easy ones. Where policies fall into several groups without a common trial the
    group with the most trials stays.
    """
    known = ~np.isnan(table.scores)
    group = label_numbers(table.groups)
    kept = [p for p in range(len(known)) if known[p].any()]
    while kept:
        staying = set(kept)
        for g in range(int(group.max()) + 1):
            staying &= set(_largest(known[np.ix_(kept, group == g)], kept))
        if len(staying) == len(kept):
            break
        kept = sorted(staying)
    return kept


def rank_intervals(
    policies: Sequence[str], shown: Iterable[tuple[str, str]]
) -> dict[str, tuple[int, int]]:
    """policy => (highest, lowest) rank, 1 being the best, for all policies together at the level of
    the tests.

    shown: pairs (better, worse) that tests have shown, corrected for all pairs, so that with 95 %
    none is wrong. At least as many policies rank above as were shown to be better, and below as
    were shown to be worse: M. Mogstad, J. P. Romano, A. M. Shaikh and D. Wilhelm (2024), Rev. Econ.
    Stud. 91, 476-518.
    """
    ranks = {policy: (1, len(policies)) for policy in policies}
    for better, worse in shown:
        ranks[better] = ranks[better][0], ranks[better][1] - 1
        ranks[worse] = ranks[worse][0] + 1, ranks[worse][1]
    return ranks


def contrasts(table: Table) -> tuple[Numbers, Numbers]:
    """(values [P] whose differences are those of the policies' rates, their covariance [P, P]), P
    >= 1, N >= 1.

    Within a task least squares with an effect of every trial, as in an incomplete block design (F.
    Yates (1936), J. Agric. Sci. 26, 424-455): two policies are compared on common trials alone,
    whoever else lacks some. A task counts by its trials, for all policies alike. The covariance
    takes initial frames as a sample of the tasks' mixture; a single one, however often repeated, is
    one trial. The variance of every policy includes one more success and one more failure, as with
    a uniform prior; without this, 20 of 20 against 19 of 20 would be certain.
    """
    known = ~np.isnan(table.scores)
    group = label_numbers(table.groups)
    P, N = known.shape
    frame = label_numbers(table.frames)
    # by task; share of each trial in the sum
    effects = np.zeros((int(group.max()) + 1, P))
    moved = np.zeros((P, N))
    for g in range(len(effects)):
        here = group == g
        effects[g], moved[:, here] = _within(table.scores[:, here], known[:, here])
        moved[:, here] *= np.count_nonzero(here) / N
    weights = np.bincount(group) / N
    values = weights @ effects
    moved += (effects[group] - values).T / N
    G = int(frame.max()) + 1
    sums = np.array([np.bincount(frame, row, G) for row in moved])
    sampled = (
        _steadied(sums @ sums.T * (G / (G - 1) * _student(G - 1) ** 2), G)
        if G > 1
        else LARGEST * np.eye(P)
    )
    own = np.array([len(set(frame[row])) for row in known])  # frames of each policy
    return values, sampled + np.diag(0.5 / (own + 2) ** 2)


def posterior(values: Numbers, covariance: Numbers, draws: int, seed: int) -> Numbers:
    """Draws [draws, P] of the policies' true values, given measured ones [P] with their covariance
    [P, P].

    Hierarchical: the true values are normal about a common mean that may be anything. Of their
    standard deviation every order of magnitude from 0.3 points on is as probable beforehand. So
    policies that look alike are taken to be alike, and the best of many is not taken to be as good
    as it looks: D. V. Lindley and A. F. M. Smith (1972), J. R. Stat. Soc. B 34, 1-41.
    """
    rng = np.random.default_rng(seed)
    P = len(values)
    if P == 1:
        return rng.normal(values[0], np.sqrt(covariance[0, 0]), (draws, 1))
    basis = np.linalg.qr(np.column_stack([np.ones(P), np.eye(P)[:, 1:]]))[0][
        :, 1:
    ]  # [P, P - 1], free of the common mean
    size, axes = np.linalg.eigh(basis.T @ covariance @ basis)
    y = axes.T @ basis.T @ values
    total = size + SPREADS[:, None] ** 2  # [S, P - 1]
    evidence = -0.5 * (np.log(total) + y**2 / total).sum(axis=1)
    chance = np.exp(evidence - evidence.max())
    chosen = rng.choice(len(SPREADS), draws, p=chance / chance.sum())
    kept = SPREADS[chosen, None] ** 2 / total[chosen]  # share of a difference that is believed
    # so that draws do not depend on the choice of axes for equal sizes
    normal = rng.standard_normal((draws, P - 1)) @ axes
    drawn = kept * y + np.sqrt(kept * size) * normal
    return np.asarray(drawn @ axes.T @ basis.T)


def _within(scores: Numbers, known: Known) -> tuple[Numbers, Numbers]:
    """(effects [P], how far each trial moves them [P, N]) of one task: least squares with an effect
    of every trial."""
    each = known / np.maximum(known.sum(axis=0), 1)
    inverse = np.linalg.pinv(
        np.diag(known.sum(axis=1)) - known @ each.T, rcond=TINY, hermitian=True
    )
    filled = np.where(known, scores, 0.0)
    centred = np.where(known, scores - (filled * each).sum(axis=0), 0.0)
    effects = inverse @ centred.sum(axis=1)
    expected = np.where(known, effects[:, None] - (each * effects[:, None]).sum(axis=0), 0.0)
    return effects, inverse @ (centred - expected)


def _steadied(covariance: Numbers, frames: int) -> Numbers:
    """A covariance of differences [P, P] that few frames show, mixed with one in which all policies
    are as uncertain: otherwise a difference that only looks certain, among the many between P
    policies, would count as real. The weights are the numbers of differences and of frames, each
    minus 1.
    """
    P = len(covariance)
    if P == 1:
        return covariance
    centre = np.eye(P) - 1 / P
    own = centre @ covariance @ centre
    w = (P - 1) / (P - 1 + frames - 1)
    return np.asarray((1 - w) * own + w * np.trace(own) / (P - 1) * centre)


def _largest(known: Known, names: Sequence[int]) -> list[int]:
    """Of policies by trials, the names of the group that common trials link and that has most
    of them."""
    left = set(np.flatnonzero(known.any(axis=1)).tolist())
    best = list[int]()
    most = 0
    while left:
        members = {left.pop()}
        while True:
            trials = np.asarray(known[sorted(members)].any(axis=0))
            more = {p for p in left if (known[p] & trials).any()}
            if not more:
                break
            members |= more
            left -= more
        if int(known[sorted(members)].sum()) > most:
            best = sorted(members)
            most = int(known[sorted(members)].sum())
    return [names[p] for p in best]


def _student(freedom: int) -> float:
    """How much further Student's 97.5 % quantile lies out than the normal one."""
    return float(stdtrit(freedom, 0.975) / ndtri(0.975))
