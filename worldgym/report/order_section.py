"""Which policy is better? Who cannot be told from the best, ranks, and probabilities of orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from worldgym.report.findings import compared, likely_orders, unranked_sentence
from worldgym.report.section import ReportFacts, Section

ORDERS = 3  # whole orders that are named


def order_section(facts: ReportFacts) -> Section | None:
    """None with fewer than two policies that have a scored trial."""
    summary = facts.summary
    ranking, standing = summary["ranking"], summary["rank_intervals"]
    if len(standing) < 2:
        return None
    comparisons = summary["comparisons"]
    together = sum(1 for c in comparisons if c["n"])
    ranked = _ranked(ranking, facts.policies) if ranking and len(ranking["policies"]) > 1 else []
    probable = {row["policy"]: row for row in ranked}
    unknown = {"best": None, "ranks": None}
    context = {
        "ranked": ranked,
        "standing": [
            {
                **unknown,
                **probable.get(row["policy"], {}),
                **row,
                "index": facts.policies.index(row["policy"]),
            }
            for row in standing
        ],
        "unranked": unranked_sentence(summary) if ranked else "",
        "best": summary["best_set"],
        "together": together,
        "compared": [compared(c, together) for c in comparisons],
        "orders": likely_orders(ranking["orders"], ORDERS) if ranking else "",
        "used": ranking,
    }
    return Section("order", "Which policy is better?", context)


def _ranked(ranking: Mapping[str, Any], policies: Sequence[str]) -> list[dict[str, Any]]:
    """Policies by their probability of being best: policy, index (its colour), best, ranks
    [highest, lowest], and above: the probability of being better than each of the others, in the
    order of these rows, None for itself."""
    places = range(len(ranking["policies"]))
    order = sorted(places, key=lambda i: (-ranking["best"][i], ranking["ranks"][i]))
    return [
        {
            "policy": ranking["policies"][i],
            "index": policies.index(ranking["policies"][i]),
            "best": ranking["best"][i],
            "ranks": ranking["ranks"][i],
            "above": [
                (ranking["policies"][j], None if i == j else ranking["above"][i][j]) for j in order
            ],
        }
        for i in order
    ]
