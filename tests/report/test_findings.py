from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_logs import SIMPSON, Scores, header, record, run

from worldgym.report import findings
from worldgym.report.words import NBSP
from worldgym.stats.summary import summarize


def of(
    scores: Scores, policies: list[str] | None = None, planned: dict[str, int] | None = None
) -> dict[str, Any]:
    return summarize(header(policies or list(scores), planned), run(scores))


def said(summary: dict[str, Any]) -> str:
    return "\n".join([findings.headline(summary), *findings.sentences(summary)]).replace(NBSP, " ")


def drawn(**rates: float) -> Scores:
    rng = np.random.default_rng(5)
    return {
        name: {"t": (rng.random(60) < rate).astype(float).tolist()} for name, rate in rates.items()
    }


def test_two_policies_are_compared_in_the_first_sentence() -> None:
    text = said(of(drawn(good=0.9, poor=0.3)))
    assert text.startswith("In the world model, good beats poor: +")
    assert "60 common trials on 60 initial frames." in text.splitlines()[0] and "p < 0.001" in text
    assert "good succeeds in" in text and "each 60 trials on 60 initial frames" in text
    assert "for one policy by itself; the highest of several rates is likely too high" in text
    alike = said(of(drawn(a=0.5, b=0.55)))
    assert "is not shown to differ from" in alike.splitlines()[0]


def test_of_many_the_first_sentence_names_those_not_told_from_the_best() -> None:
    text = said(of(drawn(a=0.9, b=0.9, poor=0.1, bad=0.1)))
    first = text.splitlines()[0]
    assert (
        "a and b cannot be told from the best of 4 policies (6 comparisons, corrected together)"
        in first
    )
    assert "(interval and p hold for all 6 comparisons together)." in text
    assert (
        "beats every other of 3 policies" in said(of(drawn(a=1.0, b=0.5, c=0.05))).splitlines()[0]
    )
    assert (
        "no policy is shown to be worse than another of 3"
        in said(of(drawn(a=0.5, b=0.5, c=0.5))).splitlines()[0]
    )
    many = said(of(drawn(**{f"p{i}": 0.5 for i in range(9)})))
    assert "and 3 more below" in many


def test_one_policy_is_told_with_its_interval_and_what_it_rests_on() -> None:
    text = said(of({"only": {"t": [1.0, 0.0, 1.0, 1.0]}}))
    assert text.startswith(
        "In the world model, only succeeds in 75 % (95 % interval 30–95 %); 4 trials on 4 initial "
        "frames."
    )
    assert "highest of several" not in text
    assert said(of({}, ["only"])).startswith("No trial has been scored yet.")


def test_a_single_initial_frame_is_said_to_be_one() -> None:
    records = [
        record(p, "t/0", s, repeat=i)
        for p, wins in (("a", 15), ("b", 5))
        for i, s in enumerate([1.0] * wins + [0.0] * (20 - wins))
    ]
    text = said(summarize(header(["a", "b"]), records))
    assert (
        "20 common trials on 1 initial frame, which says little about others"
        in text.splitlines()[0]
    )
    assert (
        "is not shown to differ" in text
        and "20 trials on 1 initial frame, which says little" in text
    )


def test_pooled_rates_of_unequal_mixtures_come_with_a_warning_and_the_means_over_tasks() -> None:
    summary = of(SIMPSON)
    text = said(summary)
    assert summary["unequal_mixture"] and "A beats B" in text.splitlines()[0]
    assert (
        "spread unequally over the tasks" in text and "Mean over tasks: A 67.5 %, B 47.5 %." in text
    )
    assert findings.all_tasks(summary) == "all tasks (unequal shares)"
    equal = of(drawn(a=0.5, b=0.6))
    assert findings.mixture_sentence(equal) == "" and findings.all_tasks(equal) == "all tasks"
    partly = of({"a": {"easy": [1.0], "hard": [0.0]}, "b": {"easy": [1.0]}})
    assert "Without a scored trial in some task: b." in findings.mixture_sentence(partly)


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
    assert "13 scored trials; 0 unscored, 0 failed and 29 missing, which enter no rate." in text
    whole = of(drawn(a=0.5, b=0.6), planned={"t": 60})
    assert findings.missing_sentence(whole) == "" and not said(whole).startswith("Unfinished")
    old = findings.missing_sentence(of({"a": {"door": [1.0] * 9}, "b": {"door": [1.0] * 4}}))
    assert "the log does not say what was planned" in old
    many = of({f"p{i}": {"t": [1.0]} for i in range(9)}, planned={"t": 3})
    assert "others with 3 more policies" in findings.missing_sentence(many)


def test_a_shard_and_lacking_edited_twins_are_said() -> None:
    plan = {"tasks": {"t": {"t/0": 1, "t/1": 1}}, "edited": {"dark": {"dark/t/0": 1}}}
    part = summarize(header(["a"], planned=plan, shard="1/2"), run({"a": {"t": [1.0, 1.0]}})[:1])
    assert "part 1/2 of a run" in findings.missing_sentence(part)
    whole = summarize(header(["a"], planned=plan), run({"a": {"t": [1.0, 1.0]}}))
    assert (
        findings.missing_sentence(whole).replace(NBSP, " ") == "1 trial of edited tasks is missing."
    )


def test_who_cannot_be_ranked_is_named() -> None:
    scores: Scores = {
        "a": {"easy": [1.0] * 5, "hard": [0.0] * 5},
        "b": {"easy": [1.0] * 5, "hard": [1.0] * 5},
    }
    summary = of({**scores, "begun": {"easy": [1.0] * 5}})
    assert "begun is not ranked: in some task no scored trial is shared" in said(summary)
    assert findings.unranked_sentence(of(scores)) == ""


def test_a_probability_from_draws_is_never_0_or_1() -> None:
    told = [findings.chance(p).replace(NBSP, " ") for p in (1.0, 0.731, 0.0)]
    assert told == ["over 99.9 %", "73.1 %", "under 0.1 %"]
    orders = [
        {"policies": ["a", "b"], "probability": 0.9},
        {"policies": ["b", "a"], "probability": 0.1},
    ]
    assert findings.likely_orders(orders, 3).startswith(
        "most probable orders: a > b (probability 90"
    )
    assert "no order" in findings.likely_orders([{"policies": ["a", "b"], "probability": 0.004}])


@pytest.mark.parametrize("n", [0, 12])
def test_a_comparison_of_nothing_claims_nothing(n: int) -> None:
    pair = {
        "a": "A",
        "b": "B",
        "value": -0.18 if n else None,
        "low": -0.3,
        "high": -0.06,
        "low_all": -0.4,
        "high_all": 0.0,
    }
    told = findings.compared({**pair, "p": 0.01, "p_holm": 1.0, "n": n, "frames": n}, 6)
    assert ("share no scored trial" in told) == (n == 0)
    assert n == 0 or ("−18.0 points" in told and "−40 to 0" in told and "p = 1," in told)
