from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from worldgym.report.answers import agreement_text, closer_text, comparison_text, estimate_text, plan_text
from worldgym.report.words import NBSP
from worldgym.stats.agreement import agreement
from worldgym.stats.cells import CellPair
from worldgym.stats.planning import plan
from worldgym.stats.prediction import Frames, prediction_powered
from worldgym.stats.wanted import Plan


def told(cells: list[CellPair], world: int = 0, **options: bool) -> str:
    answer = {**asdict(agreement(cells, **options)), "unpaired": {"world": world, "real": 0}}
    return agreement_text(answer).replace(NBSP, " ")


def grid(name: str = "p{}") -> list[CellPair]:
    """Six policies on six tasks."""
    return [CellPair(name.format(i % 6), f"t{i // 6}", i / 36, (i + i % 5) / 40, 10, 10) for i in range(36)]


def test_agreement_names_the_ceilings_and_what_was_left_out() -> None:
    text = told(grid(), world=2)
    assert "36 cells of policy and task known on both sides: 6 policies, 6 tasks" in text
    assert "95 % over policies" in text and "2 cells of the world" in text
    assert "if the initial frames of the two sides decide nothing in common" in text
    assert "from the same initial frames, if these decide the outcome" in text
    apart = told(grid(), separate=True)
    assert "(a perfect evaluator; 95 % of studies" in apart and "same initial frames" not in apart
    assert "noise ceiling of r: not defined" in told([CellPair("a", "t", 0.5, 0.5)])
    assert told([]) == "No cell of policy and task is known on both sides."


def test_agreement_tells_bias_line_and_regret_with_intervals() -> None:
    text = told(grid())
    for what in ("r without trial noise, if", "world model's rate over true rate: slope", "top-1 regret"):
        assert what in text
    rows = [line.split() for line in text.splitlines() if line.startswith("    ")]
    assert sorted(row[0] for row in rows if row[0][0] == "t") == [f"t{i}" for i in range(6)]
    assert all("(95 % for these trials" in " ".join(row) for row in rows if row[0][0] in "pt")
    bare = told([CellPair("a", f"t{i}", i / 9, i / 10) for i in range(3)])
    assert "bias, world model less truth: +1.1 points\n" in bare and "without trial noise" not in bare


def test_agreement_counts_trainings() -> None:
    assert "6 policies of 1 training, 6 tasks" in told(grid("grasp@{}k"))


RANKING = {"policies": ["B", "A"], "best": [0.1, 0.9], "orders": [{"policies": ["A", "B"], "probability": 0.9}]}


def compared(p: float, n: int = 120) -> dict[str, object]:
    return {"a": "A", "b": "B", "value": 0.18 if n else None, "low": 0.06, "high": 0.3, "p": p, "p_holm": p, "n": n}


def test_a_comparison_says_whether_a_difference_is_shown() -> None:
    policies = [
        {"policy": name, "rate": rate, "low": 0.1, "high": 0.9, "trials": 120} for name, rate in (("B", 0.4), ("A", 0.58))
    ]
    known = {"policies": policies, "ranking": RANKING}
    text = comparison_text({**known, "comparisons": [compared(0.004)], "trust": {"left_out": ["door"]}}).replace(NBSP, " ")
    assert text.startswith("A    58 % (10–90 %) of 120 trials\nB    40 %") and "A > B (probability 90 %)" in text
    assert "A beats B: +18.0 points [+6, +30], p = 0.004, 120 paired trials" in text and "calls them red: door" in text
    assert "is not shown to differ from" in comparison_text({**known, "comparisons": [compared(0.2)]})
    assert "share no scored trial" in comparison_text({**known, "comparisons": [compared(1.0, 0)]})
    assert comparison_text({"policies": [], "comparisons": [], "ranking": None}) == "No trial has been scored yet."


def test_who_came_closer_is_told_with_ties_and_probabilities() -> None:
    won = {"first": 11, "second": 4, "tie": 3, "undecided": 2, "disagreed": 1}
    pair = {"first": "A", "second": "B", "trials": 21, "broken": 1, "won": won}
    strengths = [
        {"policy": "A", "value": 0.5, "low": 0.1, "high": 0.9},
        {"policy": "B", "value": -0.5, "low": -0.9, "high": -0.1},
    ]
    text = closer_text({"pairs": [pair], "strengths": strengths, "ranking": RANKING, "cost_usd": 0.5}).replace(NBSP, " ")
    assert "A against B, 21 trials: closer in 11, farther in 4, 3 ties (1 because the two orders disagree)" in text
    assert "2 undecided, 1 broken" in text and "B  −0.50 (95 % −0.90 to −0.10)" in text and "best: A 90 %, B 10 %" in text
    assert "No comparison was decided." in closer_text({"pairs": [pair], "strengths": [], "ranking": None})


@pytest.mark.parametrize("useful", [True, False])
def test_an_estimate_says_whether_the_world_model_helps(useful: bool) -> None:
    y = np.tile([1.0, 1, 0, 1, 0], 8)
    frames = Frames(y, y if useful else 1 - y, np.zeros(40, int), np.tile([1.0, 0], 100), np.zeros(200, int))
    text = estimate_text({"level": 0.95, "mixture": False, "estimates": [{"policy": "p", **asdict(prediction_powered(frames))}]})
    assert ("saved" in text) == useful
    assert ("does not help" in text) != useful
    assert "(Wilson)" in text and "(exact)" in text and "(betting)" in text


def test_a_plan_is_told_in_sentences() -> None:
    wanted = Plan(width=0.2, a=0.6, b=0.75, imagined=500, real_correlation=0.7)
    text = plan_text({**plan(wanted), "asked": asdict(wanted)})
    assert "93 trials for a 95 % interval 20 points wide" in text and "McNemar" in text and "500 imagined" in text
    assert "correlate by 0 (McNemar" in text and "each start frame" not in text
    repeated = Plan(width=0.2, repeats=5, repeat_correlation=0.3)
    told = plan_text({**plan(repeated), "asked": asdict(repeated)}).replace(NBSP, " ")
    assert (
        "205 trials" in told and "at a rate of 50 %, each start frame tried 5 times with outcomes that correlate by 0.3" in told
    )
