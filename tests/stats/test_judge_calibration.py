"""Judge calibration by hand; the corrected rate's interval by simulation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.stats.confusion import Confusion
from worldgym.stats.judge_calibration import (
    Calibration,
    Corrected,
    Judged,
    Worth,
    abstained,
    corrected_rate,
    false_positive_rate,
    true_positive_rate,
)
from worldgym.stats.judge_figures import (
    abstention_curve,
    area_under_curve,
    calibration_figures,
    threshold_curve,
)
from worldgym.stats.success_rates import effective_trials, score_rate, wilson_rate

JUDGED = [
    Judged(True, 1.0, 0.9),
    Judged(True, 0.5, 0.5),
    Judged(True, None, 0.5),
    Judged(False, 1.0, 0.6),
    Judged(False, 0.0, 0.1),
    Judged(False, 0.0, 0.1),
    Judged(False, None),
]


def test_counts_and_rates() -> None:
    counts = Confusion.of((j.truth, j.success) for j in JUDGED)
    assert counts == Confusion(1, 1, 1, 2, 1, 1)
    assert true_positive_rate(counts) == wilson_rate(1, 2)
    assert false_positive_rate(counts).value == pytest.approx(1 / 3)
    assert [rate.value for rate in abstained(counts)] == [pytest.approx(1 / 3), 0.25]


def test_curves_by_hand() -> None:
    assert threshold_curve(JUDGED)[1:3] == [
        {"threshold": 0.5, "tpr": 1.0, "fpr": pytest.approx(1 / 3)},
        {"threshold": 0.6, "tpr": pytest.approx(1 / 3), "fpr": pytest.approx(1 / 3)},
    ]
    assert area_under_curve(JUDGED) == pytest.approx(7 / 9)
    curve = abstention_curve(JUDGED)
    assert [row["margin"] for row in curve] == pytest.approx([0.0, 0.1, 0.4])
    assert [row["coverage"] for row in curve] == pytest.approx([1.0, 4 / 6, 3 / 6])
    assert [row["accuracy"] for row in curve] == pytest.approx([4 / 6, 3 / 4, 1.0])


@settings(max_examples=30)
@given(
    st.lists(
        st.builds(Judged, st.booleans(), st.none() | st.floats(0, 1), st.none() | st.floats(0, 1)),
        max_size=12,
    )
)
def test_figures_of_anything_are_plain_json(judged: list[Judged]) -> None:
    figures = calibration_figures(judged)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert sum(figures["counts"].values()) == len(judged)


@given(st.integers(1, 200), st.data())
def test_a_perfect_judge_corrects_nothing(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    corrected = corrected_rate(successes, trials, Confusion(true_success=10**9, true_failure=10**9))
    assert corrected.value == pytest.approx(successes / trials)
    # what is left is the interval of Agresti and Coull
    middle = (successes + 1.96**2 / 2) / (trials + 1.96**2)
    half = 1.96 * (middle * (1 - middle) / (trials + 1.96**2)) ** 0.5
    expected = max(0.0, middle - half), min(1.0, middle + half)
    assert (corrected.low, corrected.high) == pytest.approx(expected, abs=1e-4)


def test_correction_by_hand() -> None:
    # TPR .8, FPR .1
    counts = Confusion(true_success=80, false_failure=20, false_success=10, true_failure=90)
    corrected = corrected_rate(45, 100, counts)  # (.45 - .1) / (.8 - .1)
    assert corrected.value == pytest.approx(0.5)
    assert corrected.low < 0.40 and 0.60 < corrected.high < 0.70
    many = Confusion(true_success=8000, false_failure=2000, false_success=1000, true_failure=9000)
    sure = corrected_rate(45, 100, many)
    # what the calibration does not know widens the interval
    assert sure.high - sure.low < corrected.high - corrected.low
    assert (
        corrected_rate(0, 100, counts).value == 0.0
        and corrected_rate(100, 100, counts).value == 1.0
    )


def test_repeats_widen_the_corrected_rate_as_they_widen_the_raw_one() -> None:
    """20 repeats of ten initial frames that all agree are worth ten trials."""
    verdicts, frames = [i < 7 for i in range(10)] * 20, [str(i) for i in range(10)] * 20
    calibration = Calibration("j", Confusion(470, 15, 30, 485))
    found, raw = (
        calibration.corrected(verdicts, frames),
        score_rate(list(map(float, verdicts)), frames),
    )
    assert found.high - found.low > raw.high - raw.low > 0.45
    once = calibration.corrected(verdicts[:10], frames[:10])
    assert (found.value, found.low, found.high) == pytest.approx((once.value, once.low, once.high))
    assert calibration.corrected([], []) == Corrected(None, 0.0, 1.0)


def test_a_calibration_counts_the_initial_frames_of_its_videos() -> None:
    """Ten videos of each of six frames, judged alike, are worth six."""
    one = [Judged(i % 2 == 0, float(i < 3), float(i < 3), f"f{i}") for i in range(6)]
    figures, single = calibration_figures(one * 10), calibration_figures(one)
    assert (figures["frames"], figures["videos"]) == (6, 60)
    for key in ("worth", "kappa"):
        assert figures[key] == pytest.approx(single[key])
    assert [figures["tpr"][end] for end in ("low", "high")] == pytest.approx(
        [single["tpr"][end] for end in ("low", "high")]
    )
    unknown = calibration_figures([replace(judged, frame="") for judged in one] * 10)
    assert unknown["worth"] == {
        "successes": pytest.approx(30, abs=10),
        "failures": pytest.approx(30, abs=10),
    }
    width = [f["alpha"]["high"] - f["alpha"]["low"] for f in (unknown, figures)]
    assert width[0] < 0.7 * width[1]


def test_an_abstention_curve_measures_from_the_judges_threshold() -> None:
    judged = [Judged(p >= 0.7, float(p >= 0.62), p) for p in (0.3, 0.5, 0.6, 0.65, 0.9)]
    curve = abstention_curve(judged, 0.62)
    assert [row["margin"] for row in curve] == pytest.approx([0.02, 0.03, 0.12, 0.28, 0.32])
    assert [row["accuracy"] for row in curve] == pytest.approx([4 / 5, 3 / 4, 1, 1, 1])


def test_no_correction_by_a_judge_that_knows_nothing() -> None:
    for counts in (
        Confusion(),
        Confusion(5, 5, 5, 5),
        Confusion(true_success=9),
        Confusion(1, 9, 9, 1),
    ):
        assert corrected_rate(5, 10, counts) == corrected_rate(0, 0, counts)
        assert (corrected_rate(5, 10, counts).value, corrected_rate(5, 10, counts).high) == (
            None,
            1.0,
        )


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize(
    ("tpr", "fpr", "known"), [(0.81, 0.03, 100), (0.9, 0.1, 50), (0.7, 0.2, 200)]
)
def test_the_interval_covers(
    covered: Callable[..., None], rate: float, tpr: float, fpr: float, known: int
) -> None:
    """Nominal 95 %, `known` successes and as many failures in the calibration, 200 trials, 4000
    studies."""
    rng, intervals, studies = np.random.default_rng(0), [], 4000
    seen = rng.binomial(200, rate * tpr + (1 - rate) * fpr, studies)
    hits, alarms = rng.binomial(known, tpr, studies), rng.binomial(known, fpr, studies)
    for successes, hit, alarm in zip(seen.tolist(), hits.tolist(), alarms.tolist(), strict=True):
        corrected = corrected_rate(
            successes, 200, Confusion(hit, alarm, known - hit, known - alarm)
        )
        intervals.append((corrected.low, corrected.high))
    covered(intervals, rate)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("correlation", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("own", [False, True])
def test_the_interval_covers_repeats(
    covered: Callable[..., None], rate: float, correlation: float, own: bool
) -> None:
    """20 initial frames x 10, whose true outcomes correlate so, and a judge of TPR 0.9 and FPR 0.1.
    own: the calibration's 40 frames x 5 repeat too, and the judge's hits of a frame correlate by
    0.3."""
    rng, intervals, names = (
        np.random.default_rng(4),
        [],
        [str(i) for i in range(20) for _ in range(10)],
    )
    known = [str(i) for i in range(40) for _ in range(5)]

    def repeated(p: float, frames: int, repeats: int, correlation: float) -> np.ndarray:
        size = 1 / correlation - 1
        return rng.random((frames, repeats)) < rng.beta(p * size, (1 - p) * size, (frames, 1))

    for _ in range(3000):
        truth, chance = repeated(rate, 20, 10, correlation), rng.random((20, 10))
        verdicts = np.where(truth, chance < 0.9, chance < 0.1).ravel()
        hits, alarms = (repeated(p, 40, 5, 0.3 if own else 0.001).ravel() for p in (0.9, 0.1))
        counts = Confusion(
            int(hits.sum()), int(alarms.sum()), int((~hits).sum()), int((~alarms).sum())
        )
        worth = Worth(*(effective_trials(side.astype(float), known) for side in (hits, alarms)))
        found = Calibration("j", counts, worth if own else None).corrected(verdicts.tolist(), names)
        intervals.append((found.low, found.high))
    covered(intervals, rate, 0.985, least=0.93)


def test_read_and_checked(tmp_path: Path) -> None:
    assert Calibration.of_run(tmp_path) is None
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({"judge": "j", **calibration_figures(JUDGED)}))
    calibration = Calibration.of_run(tmp_path)
    counts = Confusion.of((j.truth, j.success) for j in JUDGED)
    assert calibration == Calibration("j", counts, Worth(2, 3))
    old = {name: value for name, value in json.loads(path.read_text()).items() if name != "worth"}
    path.write_text(json.dumps(old))
    assert Calibration.read(path) == Calibration("j", counts)
    calibration.check("j")
    with pytest.raises(InputError, match="judge is k"):
        calibration.check("k")
    for wrong in (
        {"counts": {"mood": 1}},
        old | {"worth": {"successes": -1, "failures": 2}},
        old | {"worth": 3},
    ):
        path.write_text(json.dumps({"judge": "j", **wrong}))
        with pytest.raises(InputError, match="not a calibration"):
            Calibration.read(path)
