"""The error predictor on data whose answer is known, and its file."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.errors import CheckpointError, InputError
from worldgym.trust.error_predictor import (
    ErrorPredictor,
    auroc,
    fit_logistic,
    flag_threshold,
    out_of_fold,
    reliability,
    risk_coverage,
    scored,
    signal_matrix,
)
from worldgym.types import ROUNDING

RNG = np.random.default_rng(0)
SIGNALS = RNG.normal(size=(3000, 3)) * [1.0, 5.0, 1.0] + [0.0, 2.0, 0.0]
CHANCE = 1.0 / (1.0 + np.exp(-(-1.0 + 1.5 * SIGNALS[:, 0] - 0.2 * (SIGNALS[:, 1] - 2.0))))
WRONG = RNG.random(3000) < CHANCE


def test_the_coefficients_come_back() -> None:
    fit = fit_logistic(SIGNALS, WRONG)
    np.testing.assert_allclose(fit.coefficients, [1.5, -1.0, 0.0], atol=0.15)  # for unit variance
    assert fit.intercept == pytest.approx(-1.0, abs=0.15)
    assert np.abs(fit.p_wrong(SIGNALS) - CHANCE).mean() < 0.02


def test_a_signal_without_spread_and_separable_data_are_no_trouble() -> None:
    values = np.column_stack([np.arange(20.0), np.ones(20)])
    fit = fit_logistic(values, np.arange(20) >= 10)
    assert np.isfinite(fit.coefficients).all() and fit.coefficients[1] == 0.0
    assert (fit.p_wrong(values) > 0.5).tolist() == [False] * 10 + [True] * 10
    assert fit_logistic(values[:3], np.zeros(3, bool)).p_wrong(values[:1])[0] < 0.2


def test_a_fold_is_scored_by_the_others_alone() -> None:
    folds = ["abc"[i % 3] for i in range(300)]
    values, wrong = SIGNALS[:300], WRONG[:300].copy()
    before = out_of_fold(values, wrong, folds)
    wrong[0::3] = ~wrong[0::3]  # the labels of fold a do not touch its own P(wrong)
    after = out_of_fold(values, wrong, folds)
    np.testing.assert_array_equal(before[0::3], after[0::3])
    assert (before[1::3] != after[1::3]).all()
    with pytest.raises(InputError, match="two or more"):
        out_of_fold(values, wrong, ["a"] * 300)


def test_chance_and_certainty() -> None:
    wrong = np.array([False, True, False, True])
    assert auroc(np.array([0.1, 0.9, 0.2, 0.8]), wrong) == 1.0 and auroc(np.zeros(4), wrong) == 0.5
    assert auroc(np.zeros(2), np.zeros(2, bool)) is None


def test_agreement_rises_as_likely_errors_are_dropped() -> None:
    curve = risk_coverage(CHANCE, WRONG)
    assert [point["kept"] for point in curve] == [3000, 2700, 2400, 2100]
    assert all(a["agreement"] < b["agreement"] for a, b in pairwise(curve))
    assert all(abs(bin["p_wrong"] - bin["wrong"]) < 0.04 for bin in reliability(CHANCE, WRONG))
    assert json.loads(json.dumps(scored(CHANCE, WRONG), allow_nan=False))["wrong"] == WRONG.sum()


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=40)
def test_dropping_nothing_is_the_plain_agreement(pairs: list[tuple[float, bool]]) -> None:
    p_wrong, wrong = np.array([d for d, _ in pairs]), np.array([w for _, w in pairs])
    first = risk_coverage(p_wrong, wrong)[0]
    assert first["kept"] == len(pairs) and first["agreement"] == pytest.approx(1 - wrong.mean())


def error_predictor() -> ErrorPredictor:
    return ErrorPredictor(
        ("a", "b"), (1.0, 0.0), (2.0, 1.0), (1.0, -1.0), 0.5, 0.7, "w", "j", {"futures": 0}
    )


def test_the_file_gives_the_same_probabilities(tmp_path: Path) -> None:
    error_predictor().save(tmp_path / "error-predictor.json")
    rows = [{"a": 3.0, "b": 0.5, "c": 9.0}, {"a": 1.0, "b": 0.0, "c": 9.0}]
    assert ErrorPredictor.load(tmp_path / "error-predictor.json") == error_predictor()
    np.testing.assert_allclose(
        error_predictor().p_wrong(rows), [1 / (1 + np.exp(-1.0)), 1 / (1 + np.exp(-0.5))]
    )


def test_an_error_predictor_serves_its_own_world_and_judge() -> None:
    error_predictor().check("w", "j", None)
    measured = replace(error_predictor(), facts={"inverse_dynamics": "g"})
    measured.check("w", "j", "g")
    with pytest.raises(CheckpointError, match="fitted on readings of g, here is another"):
        measured.check("w", "j", "another")
    for world, judge in (("another", "j"), ("w", "another")):
        with pytest.raises(CheckpointError, match=f"here are {world} and {judge}; fit one"):
            error_predictor().check(world, judge, None)


def test_what_is_no_error_predictor_is_told(tmp_path: Path) -> None:
    path = tmp_path / "error-predictor.json"
    for broken, said in (
        ({"kind": "x"}, "no error predictor"),
        ({"coefficients": [1.0]}, "differ in length"),
        ({"extra": 1}, '"extra" is unknown'),
    ):
        error_predictor().save(path)
        path.write_text(json.dumps(json.loads(path.read_text()) | broken))
        with pytest.raises(InputError, match=said):
            ErrorPredictor.load(path)
    with pytest.raises(InputError, match='"b" was not measured'):
        signal_matrix([{"a": 1.0}], ("a", "b"))


tied = st.lists(
    st.tuples(st.sampled_from([0.1, 0.1 + 1e-13, 0.3, 0.3, 0.7]), st.booleans()),
    min_size=1,
    max_size=40,
)


@given(tied, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_rollouts_says_nothing(
    pairs: list[tuple[float, bool]], random: Random
) -> None:
    def figures() -> dict[str, object]:
        p_wrong, wrong = np.array([d for d, _ in pairs]), np.array([w for _, w in pairs])
        return {
            "risk": risk_coverage(p_wrong, wrong),
            "bins": reliability(p_wrong, wrong),
            "threshold": flag_threshold(p_wrong, 0.1),
        }

    before = figures()
    random.shuffle(pairs)
    assert figures() == before


def test_equal_probabilities_drop_their_mean() -> None:
    p_wrong, wrong = np.full(10, 0.3), np.arange(10) == 0
    assert [p["agreement"] for p in risk_coverage(p_wrong, wrong)] == pytest.approx([0.9] * 4)
    assert [p["wrong"] for p in reliability(p_wrong, wrong)] == pytest.approx([0.1] * 5)


@given(st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), min_size=1, max_size=60), st.randoms())
@settings(max_examples=100)
def test_the_threshold_flags_no_more_than_its_share(values: list[float], random: Random) -> None:
    p_wrong = np.array(values)
    threshold = flag_threshold(p_wrong, 0.1)
    flagged = p_wrong >= threshold - ROUNDING
    assert flagged.sum() <= np.ceil(0.1 * len(values))
    assert not flagged.all() or len(values) == 1
    rounded = p_wrong + np.array([random.uniform(-1e-12, 1e-12) for _ in values])
    np.testing.assert_array_equal(flagged, rounded >= flag_threshold(rounded, 0.1) - ROUNDING)


def test_a_threshold_of_unequal_probabilities_is_their_quantile() -> None:
    for count in (10, 11, 100, 3000):
        values = CHANCE[:count]
        assert flag_threshold(values, 0.1) == np.quantile(values, 0.9)
    assert (np.full(30, 0.4) >= flag_threshold(np.full(30, 0.4), 0.1) - ROUNDING).sum() == 0
