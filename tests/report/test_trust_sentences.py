from __future__ import annotations

from typing import Any

import pytest
from small_logs import header, run
from small_summaries import agreement, ceiling, summary

from worldgym.report.formats import NBSP
from worldgym.report.trust_sentences import (
    agreement_sentence,
    biased,
    correction_sentence,
    reached,
    verdict_sentence,
)
from worldgym.stats.confusion import Confusion
from worldgym.stats.evaluator_calibration import EvaluatorCalibration
from worldgym.stats.gaps import Bias
from worldgym.stats.judge_calibration import Calibration
from worldgym.stats.summarize import summarize
from worldgym.stats.summary import Summary


def bias(value: float, trials: list[float] | None = None) -> Bias:
    return Bias("", value, 4, trials, None, None)


def against_truth(**changes: Any) -> Summary:
    return summary(agreement=agreement(**{"bias": bias(-3.1), "mean_abs_gap": 3.333, **changes}))


def plain(text: str) -> str:
    return text.replace(NBSP, " ")


def test_the_agreement_is_said_as_far_as_it_is_defined() -> None:
    assert "true success rates are unknown" in agreement_sentence(summary())
    few = plain(agreement_sentence(against_truth(n=1, mean_abs_gap=4.0)))
    assert few == (
        "Against the known truth in 1 cell (policy and task), policy means are off by 4.0 points "
        "on average, and the world model's rates are 3.1 points too low over all cells; a "
        "correlation is not defined yet."
    )
    r = agreement_sentence(against_truth(n=51, pearson=0.785, policy_centred_pearson=0.465))
    assert "in 51 cells (policy and task), Pearson r is 0.79 (0.47 within policies); " in plain(r)
    assert "policy means are off by 3.3 points" in r
    assert "within" not in agreement_sentence(against_truth(n=3, pearson=0.785))


def test_a_perfect_evaluator_reaches_a_range_unless_its_ends_are_one() -> None:
    said = agreement_sentence(against_truth(n=51, pearson=0.785, noise_ceiling=ceiling(0.864, 1.0)))
    assert "where a perfect evaluator would reach 0.86 to 1.00;" in said
    assert reached(ceiling(0.998, 1.0)) == "1.00"


@pytest.mark.parametrize(
    "found, said",
    [
        (
            bias(4.26, [2.94, -0.04]),
            "4.3 points too high over all cells (95 % confidence interval +2.9 to +0.0)",
        ),
        (bias(-0.02), "neither too high nor too low over all cells"),
    ],
)
def test_bias_is_said_with_its_side(found: Bias, said: str) -> None:
    assert plain(biased(found)) == said


def test_verdicts() -> None:
    assert verdict_sentence(summary()) == ""
    known = {"trial_agreement": 0.9, "trial_n": 30, "trial_low": 0.74, "trial_high": 0.97}
    told = verdict_sentence(against_truth(**known, trial_initial_frames=10))
    assert plain(told) == (
        "The judge's verdict equals the truth in 90 % of 30 trials on 10 initial frames (95 % "
        "confidence interval 74–97 %)."
    )


Outcomes = list[tuple[str, str, bool, bool | None]]


def corrected(outcomes: Outcomes) -> Summary:
    """Two tasks, corrected by replays."""
    records = run({"a": {"door": [1.0, 0.0] * 5, "drawer": [1.0] * 10}})
    return summarize(header(["a"]), records, EvaluatorCalibration.of("w", "j", outcomes))


def replays(tasks: tuple[str, ...] = ("door", "drawer")) -> Outcomes:
    return [("b", task, i % 2 == 0, i % 2 == 0) for task in tasks for i in range(20)]


def test_tasks_without_recorded_rollouts_are_named() -> None:
    assert "no recorded rollout" not in correction_sentence(corrected(replays()))
    found = corrected(replays(("door",)))
    assert found.calibration is not None and found.calibration.unrecorded == ("drawer",)
    assert "Of drawer there is no recorded rollout" in correction_sentence(found)


def test_why_a_rate_is_not_corrected() -> None:
    good = [row for row in replays() if row[2]]
    no_failure = correction_sentence(corrected(good))
    assert no_failure.endswith("No rate is corrected, because no scored failure is among them.")
    unscored: Outcomes = [*good, *((p, t, False, None) for p, t, truth, _ in replays() if truth)]
    assert "no scored failure" in correction_sentence(corrected(unscored))
    blind: Outcomes = [(p, t, truth, not truth) for p, t, truth, _ in replays()]
    assert "because they do not tell success from failure" in correction_sentence(corrected(blind))
    half: Outcomes = [(p, t, truth, truth == (t == "door")) for p, t, truth, _ in replays()]
    assert "Some rates of a are not corrected" in correction_sentence(corrected(half))
    records = run({"a": {"door": [1.0, 0.0]}})
    alone = summarize(header(["a"]), records, Calibration("j", Confusion(0, 0, 0, 9)))
    assert "no scored success is among them" in correction_sentence(alone)
