from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from small_logs import SIMPSON, Scores, header, run

from worldgym.report.statistics_text import (
    agreement_text,
    comparison_text,
    estimate_text,
    gate_text,
    plan_text,
    preference_text,
    until_decided_text,
)
from worldgym.report.words import NBSP
from worldgym.stats.agreement import agreement
from worldgym.stats.cells import CellPair
from worldgym.stats.equivalence import Gate
from worldgym.stats.pairs import against_baseline
from worldgym.stats.planned_trials import planned_trials
from worldgym.stats.prediction import Frames, prediction_powered
from worldgym.stats.summary import summarize
from worldgym.stats.trial_planning import plan
from worldgym.stats.wanted import Plan


def told(cells: list[CellPair], world: int = 0, **options: bool) -> str:
    answer = {**asdict(agreement(cells, **options)), "unpaired": {"world": world, "real": 0}}
    return agreement_text(answer).replace(NBSP, " ")


def grid(name: str = "p{}") -> list[CellPair]:
    """Six policies on six tasks."""
    return [
        CellPair(name.format(i % 6), f"t{i // 6}", i / 36, (i + i % 5) / 40, 10, 10)
        for i in range(36)
    ]


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
    for what in (
        "r without trial noise, if",
        "world model's rate over true rate: slope",
        "top-1 regret",
    ):
        assert what in text
    rows = [line.split() for line in text.splitlines() if line.startswith("    ")]
    assert sorted(row[0] for row in rows if row[0][0] == "t") == [f"t{i}" for i in range(6)]
    assert all("(95 % for these trials" in " ".join(row) for row in rows if row[0][0] in "pt")
    bare = told([CellPair("a", f"t{i}", i / 9, i / 10) for i in range(3)])
    assert (
        "bias, world model less truth: +1.1 points\n" in bare and "without trial noise" not in bare
    )


def test_agreement_counts_trainings() -> None:
    assert "6 policies of 1 training, 6 tasks" in told(grid("grasp@{}k"))


RANKING = {
    "policies": ["B", "A"],
    "best": [0.1, 0.9],
    "orders": [{"policies": ["A", "B"], "probability": 0.9}],
}


def of_run(
    scores: Scores, policies: list[str] | None = None, planned: dict[str, int] | None = None
) -> dict[str, Any]:
    return summarize(header(policies or list(scores), planned), run(scores))


def alike(*policies: str, score: float = 1.0, frames: int = 20) -> Scores:
    return {policy: {"t": [score] * frames} for policy in policies}


def test_compare_says_first_what_matters_then_rates_ranks_and_pairs() -> None:
    scores = {**alike("A", "C"), **alike("B", score=0.0)}
    text = comparison_text({**of_run(scores), "trust": {"left_out": ["door"]}}).replace(NBSP, " ")
    assert text.startswith("In the world model, A and C cannot be told from the best of 3 policies")
    assert "calls them red: door" in text
    assert (
        "A   100 % (84–100 %) of 20 trials on 20 initial frames; rank 1 to 2" in text
        and "; rank 3\n" in text
    )
    assert "hold for all 3 comparisons together" in text and "A beats B: +100.0 points" in text
    assert (
        "A is not shown to differ from C: +0.0 points" in text
        and "p = 1, " in text
        and "corrected)" not in text
    )
    assert (
        "probability of being the best: " in text
        and "(probability 0 %)" not in text
        and "100 %, " not in text.split("best: ")[1]
    )
    assert comparison_text({**of_run({}), "policies": []}) == "No trial has been scored yet."
    two = comparison_text(of_run(SIMPSON)).replace(NBSP, " ")
    assert (
        two.count("A beats B") == 1
        and "mean over tasks 67.5 %; rank 1" in two
        and "spread unequally" in two
    )


def test_of_very_many_pairs_those_of_the_first_policy_are_listed() -> None:
    text = comparison_text(of_run(alike(*(f"p{i}" for i in range(9)))))
    assert (
        text.count("is not shown to differ from") == 8
        and "Those with p0 are listed; --json has all" in text
    )


def test_whether_to_stop_is_told_pair_by_pair() -> None:
    scores = {**alike("A", "C"), **alike("B", score=0.0)}
    text = until_decided_text(of_run(scores)).replace(NBSP, " ")
    assert text.startswith("In the world model: 1 not decided yet.")
    assert "A against B: decided for A over B after 10 of 20 initial frames" in text
    assert "A against C: not yet decided after 20 initial frames (p = 1)" in text
    assert "Every pair is decided: you may stop." in until_decided_text(
        of_run({**alike("A"), **alike("B", score=0.0)})
    )


def test_a_gate_is_told_with_what_it_rests_on() -> None:
    scores = {**alike("base", "same", frames=200), **alike("poor", score=0.0, frames=200)}
    summary, records = of_run(scores), run(scores)
    gate = against_baseline(
        records, list(scores), planned_trials(header(list(scores)), records), "base", Gate(0.05)
    )
    text = gate_text({**summary, **gate}).replace(NBSP, " ")
    assert text.startswith(
        "Does not pass: in the world model, is every policy not worse by more than 5 points than "
        "base?"
    )
    assert (
        "same: passes; +0.0 points, between −2 and +2 (one-sided 95 % bounds, corrected for 2 "
        "policies)" in text
    )
    assert (
        "poor: fails; −100.0 points" in text and "200 common trials on 200 initial frames" in text
    )
    none = {**gate["answers"][0], "value": None, "n": 0}
    assert "shares no scored trial with base" in gate_text({**summary, **gate, "answers": [none]})


def test_who_came_closer_is_told_with_ties_and_probabilities() -> None:
    won = {"first": 11, "second": 4, "tie": 3, "undecided": 2, "disagreed": 1}
    pair = {"first": "A", "second": "B", "trials": 21, "broken": 1, "won": won}
    strengths = [
        {"policy": "A", "value": 0.5, "low": 0.1, "high": 0.9},
        {"policy": "B", "value": -0.5, "low": -0.9, "high": -0.1},
    ]
    text = preference_text(
        {"pairs": [pair], "strengths": strengths, "ranking": RANKING, "cost_usd": 0.5}
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
        {"pairs": [pair], "strengths": [], "ranking": None}
    )


@pytest.mark.parametrize("useful", [True, False])
def test_an_estimate_says_whether_the_world_model_helps(useful: bool) -> None:
    y = np.tile([1.0, 1, 0, 1, 0], 8)
    frames = Frames(
        y, y if useful else 1 - y, np.zeros(40, int), np.tile([1.0, 0], 100), np.zeros(200, int)
    )
    text = estimate_text(
        {
            "level": 0.95,
            "mixture": False,
            "estimates": [{"policy": "p", **asdict(prediction_powered(frames))}],
        }
    )
    assert ("saved" in text) == useful
    assert ("does not help" in text) != useful
    assert "(Wilson)" in text and "(exact)" in text and "(betting)" in text


def test_a_plan_is_told_in_sentences() -> None:
    wanted = Plan(width=0.2, a=0.6, b=0.75, imagined=500, real_correlation=0.7)
    text = plan_text({**plan(wanted), "asked": asdict(wanted)})
    assert (
        "93 trials for a 95 % interval 20 points wide" in text
        and "McNemar" in text
        and "500 imagined" in text
    )
    assert "correlate by 0 (McNemar" in text and "each initial frame" not in text
    repeated = Plan(width=0.2, repeats=5, repeat_correlation=0.3)
    told = plan_text({**plan(repeated), "asked": asdict(repeated)}).replace(NBSP, " ")
    assert (
        "205 trials" in told
        and "at a rate of 50 %, each initial frame tried 5 times with outcomes that correlate by "
        "0.3"
        in told
    )
