from __future__ import annotations

from worldgym.report.formats import NBSP
from worldgym.report.judging_text import preference_text
from worldgym.stats.failure_reasons import FailureReasons
from worldgym.stats.preference_counts import (
    PairPreferences,
    PolicyStrength,
    PreferenceCounts,
    PreferenceFigures,
)
from worldgym.stats.ranking import OrderProbability, PolicyRanking

RANKING = PolicyRanking(
    policies=("B", "A"),
    best=(0.1, 0.9),
    above=((0.5, 0.1), (0.9, 0.5)),
    ranks=((1, 2), (1, 2)),
    orders=(OrderProbability(("A", "B"), 0.9),),
)


def test_who_did_better_is_told_with_ties_and_probabilities() -> None:
    pair = PairPreferences("A", "B", 21, 1, PreferenceCounts(11, 4, 3, 2, 1))
    strengths = (
        PolicyStrength("A", 0.5, 0.1, 0.9, 1.0),
        PolicyStrength("B", -0.5, -0.9, -0.1, 1.0),
    )
    found = PreferenceFigures((pair,), strengths, RANKING, 0.5, FailureReasons(), "judge")
    text = preference_text(found).replace(NBSP, " ")
    assert (
        "A against B, 21 trials: better in 11, worse in 4, 3 ties (1 because the two orders "
        "disagree)" in text
    )
    assert (
        "2 undecided, 1 broken" in text
        and "B  −0.50 (95 % −0.90 to −0.10)" in text
        and "best: A 90 %, B 10 %" in text
    )
    none = PreferenceFigures((pair,), (), None, 0.0, FailureReasons(), "judge")
    assert "No comparison was decided." in preference_text(none)
