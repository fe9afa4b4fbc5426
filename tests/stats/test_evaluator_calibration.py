"""Correction by replayed rollouts: known error rates are found, intervals hold the truth, and a
correction that cannot be made is not made."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.stats.evaluator_calibration import (
    EvaluatorCalibration,
    _likelihood,
    _pair,
)
from worldgym.stats.judge_calibration import Corrected
from worldgym.stats.run_calibration import (
    calibration_of_run,
    evaluator_calibration_of,
    read_calibration,
)
from worldgym.stats.shrunk_rates import Hits, ShrunkRates, grid

TASKS = [f"t{i}" for i in range(10)]
TRUE_RATES = [0.0, 0.0, 0.05, 0.3, 0.5, 0.8, 1.0, 1.0]  # as of policies: many near 0 and 1


def drawn(rng: np.random.Generator, mean: float, like: float) -> float:
    return float(rng.beta(mean * like + 1e-3, (1 - mean) * like + 1e-3))


def study(
    seed: int, recorded: int = 4, like: float = 20.0, trials: int = 20
) -> tuple[list[tuple[float, float, Corrected]], tuple[float, float, Corrected]]:
    """Eight policies with so many recorded rollouts a task, and a ninth in closed loop =>
    (truth, raw, corrected) of each of its cells, and of all of them."""
    rng = np.random.default_rng(seed)
    found, invented = rng.beta(18, 2, len(TASKS)), rng.beta(2, 18, len(TASKS))
    outcomes = []
    for policy in range(8):
        for task, s, f in zip(TASKS, found, invented, strict=True):
            rates = drawn(rng, f, like), drawn(rng, s, like)
            for _ in range(recorded):
                truth = bool(rng.random() < rng.choice([0.1, 0.5, 0.9]))
                outcomes.append((f"p{policy}", task, truth, bool(rng.random() < rates[truth])))
    calibration = EvaluatorCalibration.of("w", "j", outcomes)
    cells, verdicts = [], {}
    for task, s, f in zip(TASKS, found, invented, strict=True):
        r = float(rng.choice(TRUE_RATES))
        q = r * drawn(rng, s, like) + (1 - r) * drawn(rng, f, like)
        said = [bool(x) for x in rng.random(trials) < q]
        verdicts[task] = (said, [f"{task}/{i}" for i in range(trials)])
        cell = calibration.corrected_over("new", {task: verdicts[task]})
        cells.append((r, float(np.mean(said)), cell))
    whole = calibration.corrected_over("new", verdicts)
    return cells, (
        float(np.mean([r for r, _, _ in cells])),
        float(np.mean([raw for _, raw, _ in cells])),
        whole,
    )


def held(rates: list[tuple[float, float, Corrected]]) -> float:
    return float(np.mean([c.low - 1e-9 <= r <= c.high + 1e-9 for r, _, c in rates]))


def gaps(rates: list[tuple[float, float, Corrected]]) -> tuple[float, float]:
    """Mean distance of (raw, corrected) rates to the truth."""
    raw = np.mean([abs(raw - r) for r, raw, _ in rates])
    corrected = np.mean([abs(float(c.value or 0.0) - r) for r, _, c in rates])
    return float(raw), float(corrected)


def test_intervals_of_cells_hold_the_truth() -> None:
    cells = [cell for seed in range(12) for cell in study(seed)[0]]
    assert held(cells) >= 0.92 and len(cells) == 120


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recorded", "like", "trials"),
    [(4, 20.0, 20), (1, 20.0, 20), (10, 1000.0, 20), (4, 4.0, 20), (4, 20.0, 100)],
)
def test_coverage(recorded: int, like: float, trials: int) -> None:
    studies = [study(seed, recorded, like, trials) for seed in range(80)]
    cells = [cell for own, _ in studies for cell in own]
    policies = [whole for _, whole in studies]
    assert held(cells) >= 0.94
    # 80 studies: a standard error of 2.4 points at 95 %; policies that differ wildly are harder
    assert held(policies) >= (0.82 if like == 4.0 else 0.88)
    if trials == 100 or like == 1000.0:  # enough is known
        assert gaps(policies)[1] < gaps(policies)[0]
        assert gaps(cells)[1] < gaps(cells)[0]


def test_many_rollouts_give_the_rates_that_they_show() -> None:
    outcomes = [
        ("p", task, truth, judged)
        for task, right in (("a", 0.95), ("b", 0.7))
        for truth in (True, False)
        for judged, count in ((truth, round(400 * right)), (not truth, round(400 * (1 - right))))
        for _ in range(count)
    ]
    calibration = EvaluatorCalibration.of("w", "j", outcomes)
    frames = [str(i) for i in range(1000)]
    for task, right in (("a", 0.95), ("b", 0.7)):
        found, invented = calibration.error_rates(task, "p")
        assert found.mean() == pytest.approx(right, abs=0.02)
        assert invented.mean() == pytest.approx(1 - right, abs=0.02)
        judged = round(1000 * (0.4 * right + 0.6 * (1 - right)))
        said = [i < judged for i in range(1000)]
        rate = calibration.corrected_over("p", {task: (said, frames)})
        assert rate.value == pytest.approx(0.4, abs=0.03)
        assert rate.low < 0.4 < rate.high and rate.high - rate.low < 0.25
        low, high = calibration.expected("p", task, 0.4)
        assert low == pytest.approx(0.4 * (1 - right) / (0.4 * (1 - right) + 0.6 * right), abs=0.03)
        assert high == pytest.approx(0.4 * right / (0.4 * right + 0.6 * (1 - right)), abs=0.03)


def test_few_rollouts_borrow_from_other_tasks() -> None:
    units = [Hits(task, "p", 18, 20) for task in TASKS[:6]] + [Hits("few", "p", 0, 1)]
    rates = ShrunkRates.of(units)
    means = {task: float(grid() @ rates.posterior(task, "new")) for task in ("t0", "few", "unseen")}
    assert means["t0"] == pytest.approx(0.89, abs=0.03)
    assert 0.5 < means["few"] < means["unseen"] < means["t0"]
    own = float(grid() @ rates.posterior("t0", "p"))
    assert abs(own - 0.9) < 0.03
    with_more = ShrunkRates.of([*units, Hits("t0", "odd", 1, 20)])
    assert float(grid() @ with_more.posterior("t0", "odd")) < 0.3  # its own count


def test_what_tells_nothing_corrects_nothing() -> None:
    nothing = Corrected(None, 0.0, 1.0)
    verdicts = {"a": ([True, False], ["1", "2"])}
    only_successes = EvaluatorCalibration.of("w", "j", [("p", "a", True, True)] * 5)
    assert only_successes.corrected_over("p", verdicts) == nothing
    blind = EvaluatorCalibration.of(
        "w", "j", [("p", "a", truth, not truth) for truth in (True, False)] * 40
    )
    assert blind.corrected_over("p", verdicts) == nothing
    fine = EvaluatorCalibration.of("w", "j", [("p", "a", t, t) for t in (True, False)] * 5)
    assert fine.corrected_over("p", {}) == fine.corrected_over("p", {"a": ([], [])}) == nothing
    assert fine.corrected_over("p", verdicts) == fine.corrected_over("p", verdicts)


def test_it_lies_in_the_run_and_belongs_to_world_and_judge(tmp_path: Path) -> None:
    outcomes = [("p", "a", True, True), ("", "a", False, None)]
    calibration = EvaluatorCalibration.of("w", "j", outcomes)
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(asdict(calibration)))
    assert read_calibration(path) == calibration_of_run(tmp_path) == calibration
    assert evaluator_calibration_of(tmp_path, None, "j", "w") == calibration
    for judge, world in (("k", "w"), ("j", "v")):
        with pytest.raises(InputError, match="replay the recorded rollouts"):
            calibration.check(judge, world)
    path.write_text('{"kind": "evaluator-calibration", "world": "w"}')
    with pytest.raises(InputError, match="worldgym world calibrate"):
        read_calibration(path)
    for count in (-1, 10**30):
        path.write_text(json.dumps({"judge": "j", "counts": {"true_success": count}}))
        with pytest.raises(InputError, match=f'"true_success" is {count}: counts lie between 0'):
            read_calibration(path)
    path.write_text('{"judge": "j", "counts": {}}')
    assert evaluator_calibration_of(tmp_path, None, "j", "w") is None
    with pytest.raises(InputError, match="is of a judge alone"):
        evaluator_calibration_of(tmp_path, path, "j", "w")


def few(seed: int) -> EvaluatorCalibration:
    """Of two tasks with a few videos each, so that some draws do not tell success from failure."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 6))
    return EvaluatorCalibration.of(
        "w",
        "j",
        [
            ("x", task, i % 2 == 0, bool(rng.random() < (0.5 if i % 2 else 0.6)))
            for task in "ab"
            for i in range(count)
        ],
    )


def said(tasks: str, successes: int, trials: int = 10) -> dict[str, tuple[list[bool], list[str]]]:
    return {
        t: ([i < successes for i in range(trials)], [f"{t}{i}" for i in range(trials)])
        for t in tasks
    }


def test_a_draw_that_tells_nothing_is_no_rate() -> None:
    """One of the twelve draws of this calibration has no true positive rate above a false one: as a
    rate of 0 it pulled the value down, and as a rate of 1 the interval up."""
    calibration = few(7)
    draws = list(calibration._worlds)
    blind = [
        i
        for i, (found, invented) in enumerate(draws)
        if not _likelihood(*_pair((found, invented), "c", "n"), *said("c", 0)["c"]).any()
    ]
    assert len(blind) == 1
    for successes in (0, 10):
        found = calibration.corrected_over("n", said("cd", successes))
        vars(calibration)["_worlds"] = [d for i, d in enumerate(draws) if i not in blind]
        assert calibration.corrected_over("n", said("cd", successes)) == found
        vars(calibration)["_worlds"] = [draws[blind[0]]] * 7 + draws[:5]
        assert calibration.corrected_over("n", said("cd", successes)) == Corrected(None, 0.0, 1.0)
        vars(calibration)["_worlds"] = draws


def test_verdicts_that_pairs_explain_badly_are_still_explained_by_the_best() -> None:
    """A pair of rates that does not count, a false one above the true one, explains them far
    better."""
    likelihood = _likelihood(
        np.array([0.2, 0.6]), np.array([0.95, 0.1]), *said("c", 20_000, 20_000)["c"]
    )
    assert likelihood.argmax() == len(likelihood) - 1 and likelihood.max() == 1.0


@settings(max_examples=10, deadline=None)
@given(st.permutations("abcd"))
def test_the_order_of_tasks_says_nothing(order: list[str]) -> None:
    rng = np.random.default_rng(0)
    outcomes = []
    for task in "abcd":
        for policy in "xyz":
            for _ in range(4):
                truth = bool(rng.random() < 0.5)
                outcomes.append((policy, task, truth, truth ^ bool(rng.random() < 0.15)))
    calibration = EvaluatorCalibration.of("w", "j", outcomes)
    verdicts = {t: said(t, n)[t] for t, n in zip("abcd", (2, 5, 7, 9), strict=True)}
    assert calibration.corrected_over("n", {t: verdicts[t] for t in order}) == (
        calibration.corrected_over("n", verdicts)
    )


@pytest.mark.parametrize("tasks", ["t", "u", "tu"])
def test_repeats_of_one_initial_frame_are_no_further_videos(tasks: str) -> None:
    outcomes = [("a", t, i % 2 == 0, (i % 2 == 0) ^ (i in (3, 8))) for t in "tu" for i in range(12)]
    frames = [f"{t}{i}" for t in "tu" for i in range(12)]
    once = EvaluatorCalibration.of("w", "j", outcomes)
    assert EvaluatorCalibration.of("w", "j", outcomes, frames) == once and once.worth is None
    often = EvaluatorCalibration.of("w", "j", outcomes * 20, frames * 20)
    assert often.counts.successes == 20 * once.counts.successes
    assert often.worth is not None
    assert vars(often.worth) == pytest.approx({"successes": 12, "failures": 12})
    expected, found = (c.corrected_over("a", said(tasks, 60, 100)) for c in (once, often))
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.value, expected.low, expected.high), abs=0.02
    )
    independent = EvaluatorCalibration.of("w", "j", outcomes * 20)
    sure = independent.corrected_over("a", said(tasks, 60, 100))
    assert sure.high - sure.low < 0.8 * (found.high - found.low)
    assert EvaluatorCalibration.from_json(json.loads(json.dumps(asdict(often)))) == often
