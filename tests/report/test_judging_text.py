from __future__ import annotations

from worldgym.io.json_form import to_json
from worldgym.report.formats import NBSP
from worldgym.report.judging_text import preference_text
from worldgym.stats.ranking import OrderProbability, PolicyRanking

RANKING = PolicyRanking(
    policies=("B", "A"),
    best=(0.1, 0.9),
    above=((0.5, 0.1), (0.9, 0.5)),
    ranks=((1, 2), (1, 2)),
    orders=(OrderProbability(("A", "B"), 0.9),),
)


def test_who_came_closer_is_told_with_ties_and_probabilities() -> None:
    won = {"first": 11, "second": 4, "tie": 3, "undecided": 2, "disagreed": 1}
    pair = {"first": "A", "second": "B", "trials": 21, "broken": 1, "won": won}
    strengths = [
        {"policy": "A", "value": 0.5, "low": 0.1, "high": 0.9},
        {"policy": "B", "value": -0.5, "low": -0.9, "high": -0.1},
    ]
    text = preference_text(
        {
            "pairs": [pair],
            "strengths": strengths,
            "ranking": to_json(RANKING),
            "cost_usd": 0.5,
            "reasons": {},
        }
    ).replace(NBSP, " ")
    assert (
        "A against B, 21 trials: closer in 11, farther in 4, 3 ties (1 because the two orders "
        "disagree)" in text
    )
    assert (
        "2 undecided, 1 broken" in text
        and "B  −0.50 (95 % −0.90 to −0.10)" in text
        and "best: A 90 %, B 10 %" in text
    )
    assert "No comparison was decided." in preference_text(
        {"pairs": [pair], "strengths": [], "ranking": None, "reasons": {}}
    )
