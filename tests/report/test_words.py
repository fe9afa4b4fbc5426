from __future__ import annotations

from typing import Any

from worldgym.report import words


def policy(name: str, rate: float | None, trials: int = 20) -> dict[str, Any]:
    return {
        "policy": name,
        "rate": rate,
        "low": 0.1,
        "high": 0.9,
        "trials": trials,
        "unscored": 1,
        "failed": 2,
    }


def summary(*policies: dict[str, Any], **agreement: Any) -> dict[str, Any]:
    unknown = {
        "pearson": None,
        "policy_centred_pearson": None,
        "mean_abs_gap": None,
        "noise_ceiling": None,
        "bias": {"value": -3.1, "trials": None},
        "n": 0,
        "trial_agreement": None,
        "trial_n": 0,
        "trial_low": None,
        "trial_high": None,
        "trial_frames": 0,
    }
    return {"policies": list(policies), "agreement": unknown | agreement, "comparisons": []}


def plain(text: str) -> str:
    return text.replace(words.NBSP, " ")


def test_numbers() -> None:
    assert [plain(words.percent(rate)) for rate in (0.625, 0.6, 1.0, 2 / 3, None)] == [
        "62.5 %",
        "60 %",
        "100 %",
        "66.7 %",
        "–",
    ]
    assert plain(words.span(0.386, 0.781)) == "39–78 %"
    assert [words.decimal(value) for value in (0.785, -0.1, None)] == ["0.79", "−0.10", "–"]


def test_points_keep_their_sign() -> None:
    said = [words.points(rate) for rate in (0.12, -0.031, 0.004, -0.002, -1e-5, 0.0, None)]
    assert said == ["+12", "−3", "+0.4", "−0.2", "0", "0", "–"]


def test_p_values_and_durations() -> None:
    assert [words.probability(p) for p in (0.0041, 1.0, 2e-5)] == ["= 0.0041", "= 1", "< 0.001"]
    said = [plain(words.duration(s)) for s in (0.0, 0.254, 9.94, 61.0, 90.0, 5399.0, 9000.0)]
    assert said == ["0 s", "0.25 s", "9.9 s", "61 s", "1.5 min", "90 min", "2.5 h"]


def test_the_time_is_told_by_its_parts() -> None:
    spent = {"attempts": 2, "seconds": 120.0, "timing": {"world": 90.0, "judge": 6.0}}
    assert (
        plain(words.time_sentence({"expenses": spent}))
        == "2 rollouts took 2 min (world 1.5 min, judge 6 s)."
    )
    assert words.time_sentence({"expenses": {**spent, "seconds": 0.0}}) == ""


def test_the_agreement_is_said_as_far_as_it_is_defined() -> None:
    assert "truth is unknown" in words.agreement_sentence(summary())
    few = plain(words.agreement_sentence(summary(n=1, mean_abs_gap=4.0)))
    assert few == (
        "Against the known truth in 1 cell, policy means are off by 4.0 points on average, and the "
        "world model's "
        "rates are 3.1 points too low over all cells; a correlation is not defined yet."
    )
    r = plain(
        words.agreement_sentence(
            summary(n=51, mean_abs_gap=3.333, pearson=0.785, policy_centred_pearson=0.465)
        )
    )
    assert (
        "in 51 cells, Pearson r is 0.79 (0.47 within policies); policy means are off by 3.3 points"
        in r
    )
    assert "within" not in words.agreement_sentence(summary(n=3, mean_abs_gap=3.0, pearson=0.785))


def test_a_perfect_evaluator_reaches_a_range_unless_its_ends_are_one() -> None:
    ceiling = {"least": {"mean": 0.864}, "most": {"mean": 1.0}}
    said = words.agreement_sentence(
        summary(n=51, mean_abs_gap=3.3, pearson=0.785, noise_ceiling=ceiling)
    )
    assert "where a perfect evaluator would reach 0.86 to 1.00;" in said
    assert words.reached({"least": {"mean": 0.998}, "most": {"mean": 1.0}}) == "1.00"


def test_bias_is_said_with_its_side() -> None:
    said = [
        plain(words.biased({"value": v, "trials": t}))
        for v, t in ((4.26, [2.94, -0.04]), (-0.02, None))
    ]
    assert said == [
        "4.3 points too high over all cells (95 % +2.9 to +0.0)",
        "neither too high nor too low over all cells",
    ]


def test_verdicts() -> None:
    assert words.verdict_sentence(summary()) == ""
    assert plain(
        words.verdict_sentence(
            summary(
                trial_agreement=0.9,
                trial_n=30,
                trial_low=0.74,
                trial_high=0.97,
                trial_frames=10,
            )
        )
    ) == (
        "The verdict equals the truth in 90 % of 30 trials (95 % interval 74–97 %, over 10 "
        "initial frames)."
    )
