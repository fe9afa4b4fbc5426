from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_logs import SIMPSON, Scores, header, record, run

from worldgym.report import findings
from worldgym.report.formats import NBSP
from worldgym.report.policy_sentences import (
    all_tasks,
    compared,
    likely_orders,
    mixture_sentence,
    unranked_sentence,
)
from worldgym.report.trial_sentences import missing_lines, missing_sentence
from worldgym.stats.ranking import OrderProbability
from worldgym.stats.summarize import summarize
from worldgym.stats.summary import Summary


def of(
    scores: Scores, policies: list[str] | None = None, planned: dict[str, int] | None = None
) -> Summary:
    return summarize(header(policies or list(scores), planned), run(scores))


def said(summary: Summary) -> str:
    said = [findings.headline(summary), *missing_lines(summary), *findings.sentences(summary)]
    return "\n".join(said).replace(NBSP, " ")


def drawn(**rates: float) -> Scores:
    rng = np.random.default_rng(5)
    return {
        name: {"t": (rng.random(60) < rate).astype(float).tolist()} for name, rate in rates.items()
    }


def first(summary: Summary) -> str:
    return findings.headline(summary).replace(NBSP, " ")


def test_two_policies_are_compared_in_the_first_sentence() -> None:
    summary = of(drawn(good=0.9, poor=0.3))
    assert first(summary) == (
        "In the world model, good is better than poor (success rate 91.7 % against 25 %)."
    )
    text = said(summary)
    assert "good against poor: good is better, +66.7 points (95 % confidence interval +" in text
    assert "p < 0.001, 60 common trials on 60 initial frames)." in text
    assert "good 91.7 % (95 % confidence interval 82–96 %)" in text
    assert "each in 60 trials on 60 initial frames" in text
    assert "for one policy by itself; the highest of several rates is probably too high" in text
    alike = of(drawn(a=0.5, b=0.55))
    assert "may be as good or better." in first(alike)
    assert "no clear difference" in said(alike)


def test_of_many_the_first_sentence_names_those_that_may_be_best() -> None:
    several = of(drawn(a=0.9, b=0.9, poor=0.1, bad=0.1))
    assert first(several) == (
        "In the world model, a comes first of 4 policies (success rate 91.7 %), but b (88.3 %) may "
        "be as good or better."
    )
    assert "Interval and p-value hold for all 6 comparisons together." in said(several)
    best = first(of(drawn(a=1.0, b=0.5, c=0.05)))
    assert best == ("In the world model, a is the best of 3 policies (success rate 100 %).")
    alike = first(of(drawn(a=0.5, b=0.5, c=0.5)))
    assert "first of 3 policies" in alike and ") and " in alike and "as good or better" in alike
    many = of(drawn(**{f"p{i}": 0.5 for i in range(9)}))
    assert "and 3 more below" in said(many) and "and 3 more may be as good or better." in first(
        many
    )


@pytest.mark.parametrize("wins", [0, 10, 20])
def test_equal_rates_make_no_winner(wins: int) -> None:
    scores = [1.0] * wins + [0.0] * (20 - wins)
    rate = f"{5 * wins} %"
    two = of({"b": {"t": scores}, "a": {"t": scores[::-1]}})
    same = f"have the same success rate ({rate})"
    assert first(two) == f"In the world model, b and a {same}; no policy is shown to be better."
    if wins == 10:
        near = [1.0] * 9 + [0.0] * 11
        told = first(of({"a": {"t": scores}, "b": {"t": scores}, "c": {"t": near}}))
        assert told == (
            f"In the world model, a and b {same}, the highest of 3 policies; none of them is shown "
            f"to be the best, and c (45 %) may be as good or better."
        )


def test_no_first_sentence_holds_a_p_value_or_a_correction() -> None:
    for count in (2, 3, 8):
        told = first(of(drawn(**{f"p{i}": 0.5 for i in range(count)})))
        assert " p " not in told and "correct" not in told and "interval" not in told


def test_policies_without_a_common_trial_do_not_compare() -> None:
    apart = of({"a": {"easy": [1.0] * 9}, "b": {"hard": [0.0] * 9}})
    assert "no two policies share a scored trial" in first(apart)


def test_one_policy_is_told_with_its_interval_and_trials() -> None:
    text = said(of({"only": {"t": [1.0, 0.0, 1.0, 1.0]}}))
    assert text.startswith(
        "In the world model, only succeeds in 75 % of 4 trials on 4 initial frames (95 % "
        "confidence interval 30–95 %)."
    )
    assert text.count("only") == 1
    assert said(of({}, ["only"])).startswith("No trial has been scored yet.")


def test_a_single_initial_frame_is_said_to_be_one() -> None:
    records = [
        record(p, "t/0", s, repeat=i)
        for p, wins in (("a", 15), ("b", 5))
        for i, s in enumerate([1.0] * wins + [0.0] * (20 - wins))
    ]
    text = said(summarize(header(["a", "b"]), records))
    assert "20 common trials on 1 initial frame, which says little about others" in text
    assert "no clear difference" in text
    assert "20 trials on 1 initial frame, which says little" in text


def test_pooled_rates_of_unequal_mixtures_come_with_a_warning_and_the_means_over_tasks() -> None:
    summary = of(SIMPSON)
    text = said(summary)
    assert summary.unequal_mixture and first(summary).endswith(
        "A is better than B (mean success rate over tasks 67.5 % against 47.5 %)."
    )
    assert "rates over all tasks cannot be compared. Mean over tasks: A 67.5 %, B 47.5 %." in text
    assert all_tasks(summary) == "all tasks (unequal shares)"
    equal = of(drawn(a=0.5, b=0.6))
    assert mixture_sentence(equal) == "" and all_tasks(equal) == "all tasks"
    partly = of({"a": {"easy": [1.0], "hard": [0.0]}, "b": {"easy": [1.0]}})
    assert "Without a scored trial in some task: b." in mixture_sentence(partly)


def test_missing_trials_are_named_first_and_by_policy() -> None:
    text = said(
        of(
            {"a": {"door": [1.0] * 9}, "b": {"door": [1.0] * 4}},
            ["a", "b", "late"],
            {"door": 9, "drawer": 5},
        )
    )
    assert text.startswith("Unfinished run: ")
    assert (
        "29 of 42 planned trials are missing (5 of 14 with a, 10 of 14 with b and 14 of 14 with "
        "late)." in text
    )
    assert "late on door: 9 planned, 0 done, 0 failed, 9 missing (door/0, repeat 0; " in text
    assert text.index("late on door") < text.index("late on drawer") < text.index("Success rates")
    assert "13 scored trials; 0 unscored, 0 failed and 29 missing trials are in no rate." in text
    whole = of(drawn(a=0.5, b=0.6), planned={"t": 60})
    assert missing_sentence(whole) == "" and not said(whole).startswith("Unfinished")
    old = missing_sentence(of({"a": {"door": [1.0] * 9}, "b": {"door": [1.0] * 4}}))
    assert "the log does not say what was planned" in old
    many = of({f"p{i}": {"t": [1.0]} for i in range(9)}, planned={"t": 3})
    assert "others with 3 more policies" in missing_sentence(many)
    assert missing_lines(many)[-1] == "  and 1 more of policy and task (see summary.json)"
    assert missing_lines(whole) == []


def test_a_shard_and_lacking_edited_twins_are_said() -> None:
    plan = {"tasks": {"t": {"t/0": 1, "t/1": 1}}, "edited": {"dark": {"dark/t/0": 1}}}
    part = summarize(header(["a"], planned=plan, shard="1/2"), run({"a": {"t": [1.0, 1.0]}})[:1])
    assert "shard 1/2 of a run" in missing_sentence(part)
    whole = summarize(header(["a"], planned=plan), run({"a": {"t": [1.0, 1.0]}}))
    assert missing_sentence(whole).replace(NBSP, " ") == "1 trial of edited tasks is missing."


def test_who_cannot_be_ranked_is_named() -> None:
    scores: Scores = {
        "a": {"easy": [1.0] * 5, "hard": [0.0] * 5},
        "b": {"easy": [1.0] * 5, "hard": [1.0] * 5},
    }
    summary = of({**scores, "begun": {"easy": [1.0] * 5}})
    assert "begun is not ranked: in some task it shares no scored trial" in said(summary)
    assert unranked_sentence(of(scores)) == ""


def test_only_orders_of_some_probability_are_named() -> None:
    orders = [OrderProbability(("a", "b"), 0.9), OrderProbability(("b", "a"), 0.1)]
    assert likely_orders(orders, 3).startswith("Most probable orders: a > b (probability 90")
    even = [OrderProbability(("a", "b"), 0.506), OrderProbability(("b", "a"), 0.494)]
    told = likely_orders(even).replace(NBSP, " ")
    assert told == (
        "No order is clearly the most probable: a > b (probability 50.6 %); "
        "b > a (probability 49.4 %)"
    )
    assert "No order" in likely_orders([OrderProbability(("a", "b"), 0.004)])


@pytest.mark.parametrize("n", [0, 12])
def test_a_comparison_of_nothing_claims_nothing(n: int) -> None:
    (pair,) = of(drawn(A=0.5, B=0.5)).comparisons
    value = -0.18 if n else None
    ends = {"low": -0.3, "high": -0.06, "low_all": -0.4, "high_all": 0.0}
    row = replace(pair, a="A", b="B", value=value, p_holm=1.0, n=n, initial_frames=n, **ends)
    told = compared(row, 6)
    assert ("share no scored trial" in told) == (n == 0)
    assert n == 0 or ("−18.0 points" in told and "−40 to 0" in told and "p = 1," in told)
