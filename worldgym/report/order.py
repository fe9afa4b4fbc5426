"""Which policy is better? Probabilities of being best, of each pair's order, and of whole orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worldgym.report import words
from worldgym.report.section import Facts, Section

ORDERS = 3  # whole orders that are named


def order_section(facts: Facts) -> Section | None:
    """None with fewer than two policies, or without a scored trial."""
    ranking = facts.summary["ranking"]
    if ranking is None or len(ranking["policies"]) < 2:
        return None
    comparisons = facts.summary["comparisons"]
    context = {
        "ranked": _ranked(ranking),
        "compared": [words.compared(c, len(comparisons)) for c in comparisons],
        "orders": [order for order in ranking["orders"] if order["probability"] >= 0.01][:ORDERS],
    }
    return Section("order", "Which policy is better?", context)


def _ranked(ranking: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Policies by their probability of being best: policy, index (its colour), best, ranks [highest, lowest], and above: the
    probability of being better than each of the others, in the order of these rows, None for itself."""
    places = range(len(ranking["policies"]))
    order = sorted(places, key=lambda i: (-ranking["best"][i], ranking["ranks"][i]))
    return [
        {
            "policy": ranking["policies"][i],
            "index": i,
            "best": ranking["best"][i],
            "ranks": ranking["ranks"][i],
            "above": [(ranking["policies"][j], None if i == j else ranking["above"][i][j]) for j in order],
        }
        for i in order
    ]
