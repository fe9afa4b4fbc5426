from __future__ import annotations

from dataclasses import replace

from small_logs import SIMPSON, Scores, header, run

from worldgym.report.comparison_text import baseline_text, comparison_text, until_decided_text
from worldgym.report.formats import NBSP
from worldgym.stats.baseline import against_baseline
from worldgym.stats.equivalence import Gate
from worldgym.stats.planned_trials import planned_trials
from worldgym.stats.summarize import summarize
from worldgym.stats.summary import Summary
from worldgym.stats.world_trust import Trusted, TrustedTasks


def of_run(
    scores: Scores, policies: list[str] | None = None, planned: dict[str, int] | None = None
) -> Summary:
    return summarize(header(policies or list(scores), planned), run(scores))


def alike(*policies: str, score: float = 1.0, frames: int = 20) -> Scores:
    return {policy: {"t": [score] * frames} for policy in policies}


def test_compare_says_first_what_matters_then_rates_ranks_and_pairs() -> None:
    scores = {**alike("A", "C"), **alike("B", score=0.0)}
    red = TrustedTasks("w", {"door": Trusted("red", "no")}, ("door",), False)
    text = comparison_text(replace(of_run(scores), trust=red)).replace(NBSP, " ")
    assert text.startswith(
        "In the world model, A and C have the same success rate (100 %), the highest of 3 "
        "policies; none of them is shown to be the best."
    )
    assert "the trust report of the world model is red: door" in text
    assert "A   100 % (84–100 %) of 20 trials on 20 initial frames; rank 1 to 2" in text
    assert "; rank 3\n" in text
    assert "hold for all 3 comparisons together" in text
    assert "A against B: A is better, +100.0 points" in text
    assert "A against C: no clear difference, +0.0 points" in text
    assert "p = 1, " in text and "corrected)" not in text
    assert "Probability of being the best: " in text and "(probability 0 %)" not in text
    assert "100 %, " not in text.split("best: ")[1]
    assert comparison_text(of_run({})) == "No trial has been scored yet."


def test_of_unequal_mixtures_the_means_over_tasks_are_told() -> None:
    text = comparison_text(of_run(SIMPSON)).replace(NBSP, " ")
    assert "A is better than B (mean success rate over tasks 67.5 % against 47.5 %).\n" in text
    assert text.count("A against B: A is better") == 1
    assert "mean over tasks 67.5 %; rank 1" in text and "cannot be compared" in text


def test_of_very_many_pairs_those_of_the_first_policy_are_listed() -> None:
    text = comparison_text(of_run(alike(*(f"p{i}" for i in range(9)))))
    assert text.count("no clear difference") == 8
    assert "Those with p0 are listed; --json has all" in text


def test_whether_to_stop_is_told_pair_by_pair() -> None:
    scores = {**alike("A", "C"), **alike("B", score=0.0)}
    text = until_decided_text(of_run(scores)).replace(NBSP, " ")
    assert text.startswith("In the world model: 1 not decided yet.")
    assert "A against B: A is better, decided after 10 of 20 initial frames" in text
    assert "A against C: not decided after 20 initial frames (p = 1)" in text
    assert "Every pair is decided: you may stop." in until_decided_text(
        of_run({**alike("A"), **alike("B", score=0.0)})
    )


def test_a_baseline_is_told_with_its_bounds_and_trials() -> None:
    scores = {**alike("base", "same", frames=200), **alike("poor", score=0.0, frames=200)}
    summary, records = of_run(scores), run(scores)
    plan = planned_trials(header(list(scores)), records)
    found = against_baseline(records, list(scores), plan, "base", Gate(0.05))
    text = baseline_text(found, summary).replace(NBSP, " ")
    assert text.startswith(
        "Does not pass: in the world model, is every policy not worse by more than 5 points than "
        "base?"
    )
    assert (
        "same: passes; +0.0 points (one-sided 95 % bounds −2 and +2, corrected for 2 policies)"
        in text
    )
    assert "poor: fails; −100.0 points" in text
    assert "200 common trials on 200 initial frames" in text
    none = replace(found.answers[0], value=None, n=0)
    told = baseline_text(replace(found, answers=(none,)), summary)
    assert "shares no scored trial with base" in told


def test_where_interval_and_exact_test_disagree_the_text_says_which_decides() -> None:
    def between(wins: int) -> str:
        ahead = {"A": {"t": [1.0] * wins + [0.0] * (10 - wins)}, "B": {"t": [0.0] * 10}}
        return comparison_text(of_run(ahead)).replace(NBSP, " ")

    few = between(4)
    assert "no clear difference, +40.0 points" in few and "interval +1 to" in few
    assert "the interval is approximate, p decides)" in few
    for agreeing in (between(1), between(10)):
        assert "approximate" not in agreeing
