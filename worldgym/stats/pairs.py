"""From a run's trials to comparisons of its policies, each with each, and to their ranking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np

from worldgym.io.attempts import Attempted
from worldgym.stats.comparison import Difference, holm, paired_difference, paired_interval
from worldgym.stats.frame_rounds import FrameRounds
from worldgym.stats.planned_trials import Planned
from worldgym.stats.policy_trials import ScoreTable
from worldgym.stats.ranking import (
    CommonTrialRanking,
    Table,
    comparable,
    contrasts,
    rank_intervals,
    ranking,
)
from worldgym.stats.sequential import SequentialResult, sequential_tests
from worldgym.stats.success_rates import Interval
from worldgym.types import ROUNDING

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class SequentialAnswer:
    """Whether a pair is decided yet. It may be looked at after every trial (see sequential.py)."""

    evidence: float
    """wealth of a bet against "no difference", from 1"""
    p: float
    """1 / the largest evidence so far, at most 1"""
    p_holm: float
    """p corrected for the number of pairs"""
    decided: int | None
    """initial frames after which the difference was shown, corrected for all pairs; null if not yet
    """
    low: float
    """lower end of the 95 % interval of the difference, of this pair alone"""
    high: float
    """upper end"""
    n: int
    """initial frames used"""
    winner: str | None
    """the policy for which it was decided; null if not yet"""


@dataclass(frozen=True, kw_only=True)
class PolicyComparison:
    """Two policies on the trials that both were scored in. The one of the higher rate is a."""

    a: str
    """the first policy"""
    b: str
    """the second policy"""
    value: float | None
    """success rate of a minus that of b, in [-1, 1]; null without a common trial"""
    low: float
    """lower end of its 95 % interval, of this pair alone"""
    high: float
    """upper end"""
    p: float
    """p-value of "no difference", of this pair alone"""
    n: int
    """common trials"""
    initial_frames: int
    """their initial frames"""
    low_all: float
    """lower end of the interval that holds for all pairs together at 95 % (Bonferroni)"""
    high_all: float
    """upper end"""
    p_holm: float
    """p corrected for the number of pairs with a common trial (Holm)"""
    sequential: SequentialAnswer
    """the same question, asked while trials come in"""

    @property
    def shown(self) -> bool:
        """Whether a is shown to be better than b, corrected for the number of pairs."""
        return self.n > 0 and self.p_holm <= 1 - LEVEL


@dataclass(frozen=True)
class RankInterval:
    """Ranks that a policy may have; 1 is the best."""

    policy: str
    """its name"""
    low: int
    """the best rank that it may have, at 95 % for all policies together"""
    high: int
    """the worst one"""


@dataclass(frozen=True)
class Standing:
    """A run's policies against each other, the best first in every list."""

    comparisons: tuple[PolicyComparison, ...]
    ranking: CommonTrialRanking | None
    unranked: tuple[str, ...]
    best_set: tuple[str, ...]
    rank_intervals: tuple[RankInterval, ...]


def compare_every_pair(
    records: Iterable[Attempted], policies: Sequence[str], planned: Planned
) -> Standing:
    """Every pair of the named policies, and the ranking of all. The fields are `Summary`'s."""
    table = ScoreTable.of(records, policies)
    scored = [policy for policy, own in zip(policies, table.scored, strict=True) if own.any()]
    ranked = _ranking(table, scored)
    best_first = _best_first(table, ranked)
    found = [_compared(table, a, b) for a, b in combinations(best_first, 2)]
    known = [difference for _, _, difference in found if difference.n]
    p_holm = iter(holm([difference.p for difference in known]))
    rounds = FrameRounds.of(table, planned)
    tests = sequential_tests([rounds.looks(a, b) for a, b, _ in found])
    comparisons = []
    for (a, b, difference), test in zip(found, tests, strict=True):
        low, high = _together(table, a, b, len(known) if difference.n else 0)
        comparisons.append(
            PolicyComparison(
                a=a,
                b=b,
                **vars(difference),
                low_all=low,
                high_all=high,
                p_holm=next(p_holm) if difference.n else 1.0,
                sequential=_sequential(test, a, b),
            )
        )
    standing = rank_intervals(scored, [(c.a, c.b) for c in comparisons if c.shown])
    alone = ranked is None and len(scored) < 2
    return Standing(
        comparisons=tuple(comparisons),
        ranking=ranked,
        unranked=tuple(
            p for p in scored if not alone and (ranked is None or p not in ranked.policies)
        ),
        best_set=tuple(p for p in best_first if standing.get(p, (0, 0))[0] == 1),
        rank_intervals=tuple(RankInterval(p, *standing[p]) for p in best_first if p in standing),
    )


def _compared(table: ScoreTable, a: str, b: str) -> tuple[str, str, Difference]:
    """The two policies, the better first, and their difference."""
    A, B, frames = table.common_scores(a, b)
    if A.sum() < B.sum() - ROUNDING:
        (a, A), (b, B) = (b, B), (a, A)
    return a, b, paired_difference(A, B, frames)


def _together(table: ScoreTable, a: str, b: str, pairs: int) -> Interval:
    """The interval that holds for all pairs together; pairs: 0 = they share no trial."""
    if not pairs:
        return -1.0, 1.0
    return paired_interval(*table.common_scores(a, b), 1 - (1 - LEVEL) / pairs)


def _sequential(test: SequentialResult, a: str, b: str) -> SequentialAnswer:
    known = asdict(test)
    sign = known.pop("sign")
    return SequentialAnswer(**known, winner=a if sign > 0 else b if sign < 0 else None)


def _ranking(table: ScoreTable, scored: Sequence[str]) -> CommonTrialRanking | None:
    if not scored:
        return None
    columns = np.flatnonzero(table.scored.any(axis=0))
    frames = table.frames[columns].tolist()
    rows = [table.row(policy) for policy in scored]
    comparable_table = Table(
        table.scores[rows][:, columns],
        [table.tasks[f] for f in frames],
        [table.groups[f] for f in frames],
    )
    kept = comparable(comparable_table)
    if not kept:
        return None
    of_kept = comparable_table.of(kept)
    values = contrasts(of_kept)[0]
    return CommonTrialRanking(
        **vars(ranking(of_kept).named([scored[p] for p in kept])),
        values=tuple((values - values.mean()).tolist()),
        trials=len(of_kept.frames),
        initial_frames=len(set(of_kept.frames)),
    )


def _best_first(table: ScoreTable, ranked: CommonTrialRanking | None) -> list[str]:
    """By the rate on common trials, then those that cannot be ranked by their own rate, then those
    without a score."""
    values = {} if ranked is None else dict(zip(ranked.policies, ranked.values, strict=True))

    def place(policy: str) -> tuple[int, float]:
        p = table.row(policy)
        scores = table.scores[p, table.scored[p]]
        if policy in values:
            return 0, -round(values[policy], 9)
        return (1, -round(float(scores.mean()), 9)) if len(scores) else (2, 0.0)

    return sorted(table.policies, key=place)
