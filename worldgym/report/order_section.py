"""Which policy is better? Which cannot be told from the best, ranks, and probabilities of
orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worldgym.report.policy_sentences import compared, likely_orders, unranked_sentence
from worldgym.report.section import ReportFacts, Section
from worldgym.stats.pairs import RankInterval
from worldgym.stats.ranking import PolicyRanking

ORDERS = 3  # whole orders that are named


@dataclass(frozen=True)
class _Place:
    """What is known of a policy's rank.

    index:  of the policy, its colour.   standing: its rank among all together.
    best, ranks: probability of being best and central 95 % of its rank; None where not ranked.
    above:  (other policy, probability of being better) in the order of the ranked rows, None for
            itself.
    """

    index: int
    standing: RankInterval
    best: float | None = None
    ranks: tuple[int, int] | None = None
    above: Sequence[tuple[str, float | None]] = ()


def order_section(facts: ReportFacts) -> Section | None:
    """None with fewer than two policies that have a scored trial."""
    summary = facts.summary
    ranking = summary.ranking
    rows = summary.rank_intervals
    if len(rows) < 2:
        return None
    if ranking is not None and len(ranking.policies) < 2:
        ranking = None
    places = [_place(row, facts.policies.index(row.policy), ranking) for row in rows]
    together = sum(1 for pair in summary.comparisons if pair.n)
    context = {
        "places": places,
        "ranked": _by_probability(places),
        "unranked": unranked_sentence(summary) if ranking else "",
        "best": summary.best_set,
        "compared": [compared(pair, together) for pair in summary.comparisons],
        "orders": likely_orders(ranking.orders, ORDERS) if ranking else "",
        "used": summary.ranking,
    }
    return Section("order", "Which policy is better?", context)


def _place(row: RankInterval, index: int, ranking: PolicyRanking | None) -> _Place:
    if ranking is None or row.policy not in ranking.policies:
        return _Place(index, row)
    i = ranking.policies.index(row.policy)
    order = _order(ranking)
    above = [(ranking.policies[j], None if i == j else ranking.above[i][j]) for j in order]
    return _Place(index, row, ranking.best[i], ranking.ranks[i], above)


def _order(ranking: PolicyRanking) -> list[int]:
    """Indices of the ranked policies by their probability of being best."""
    places = range(len(ranking.policies))
    return sorted(places, key=lambda i: (-ranking.best[i], ranking.ranks[i]))


def _by_probability(places: Sequence[_Place]) -> list[_Place]:
    """The ranked ones, in the order of `above`."""
    ranked = {place.standing.policy: place for place in places if place.best is not None}
    order = next(([name for name, _ in place.above] for place in ranked.values()), [])
    return [ranked[name] for name in order]
