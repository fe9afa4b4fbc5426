from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.io.json_form import to_json
from worldgym.io.run_records import TrialRecord
from worldgym.stats.evaluator_calibration import EvaluatorCalibration
from worldgym.stats.studies import PolicyEstimate, estimate
from worldgym.stats.tables import RealTrial


def record(policy: str, task: str, score: float | None, **fields: Any) -> TrialRecord:
    reason = "" if score is not None or "failure_reason" in fields else "unclear"
    known = {
        "group": task.split("/")[0],
        "instruction": "do it",
        "repeat": 0,
        "seed": 1,
        "score": score,
        "reason": reason,
    }
    return TrialRecord(policy, task, **{**known, **fields})


def run(frames: int = 60) -> list[TrialRecord]:
    """Policy "good" succeeds on four of five frames, "poor" on one of five; two groups."""
    groups = ("door", "drawer")
    return [
        record(policy, f"{groups[i % 2]}/{i}", float((i // 2) % 5 < wins))
        for policy, wins in (("poor", 1), ("good", 4))
        for i in range(frames)
    ]


def real(n: int, policy: str = "good") -> list[RealTrial]:
    """The first frames tried for real: as generated, but for one in ten."""
    scores = {r.task: r.score for r in run() if r.policy == policy}
    flips = np.arange(n) % 10 == 9
    return [
        RealTrial(policy, task, "", float(abs((score or 0) - flip)))
        for (task, score), flip in zip(list(scores.items())[:n], flips, strict=True)
    ]


def only(
    records: list[TrialRecord], trials: list[RealTrial], mixture: bool = False
) -> PolicyEstimate:
    """The estimate of real trials of one policy."""
    (found,) = estimate(records, trials, mixture=mixture).estimates
    return found


def test_an_estimate_pairs_real_trials_with_their_initial_frames() -> None:
    found = only(run(), real(20))
    assert (found.policy, found.n, found.paired, found.N) == ("good", 20, 20, 40)
    assert found.real == pytest.approx(np.mean([trial.score for trial in real(20)]))
    assert json.loads(json.dumps(to_json(found), allow_nan=False)) == to_json(found)


def test_repeats_are_averaged_to_one_value_a_frame() -> None:
    twice = [replace_repeat(r, i) for r in run() for i in range(2)]
    assert only(twice, real(20) + real(20)) == only(run(), real(20))


def replace_repeat(r: TrialRecord, repeat: int) -> TrialRecord:
    return record(r.policy, r.task, r.score, repeat=repeat)


def test_a_frame_that_was_not_generated_counts_as_real_alone() -> None:
    found = only(
        run(),
        [
            *real(20),
            RealTrial("good", "door/999", "door", 1.0),
            RealTrial("good", "elsewhere", "", 0.0),
        ],
    )
    assert (found.n, found.paired) == (22, 20)


def suite() -> list[TrialRecord]:
    """The run, and its twins by two edits, in which all fail."""
    twins = [
        record(r.policy, f"{edit}/{r.task}", 0.0, group=r.group, nominal=r.task, axis="distractor")
        for r in run()
        for edit in ("mug", "can")
    ]
    return [*run(), *twins]


@pytest.mark.parametrize("mixture", [False, True])
def test_edited_twins_say_nothing_about_their_originals(mixture: bool) -> None:
    assert only(suite(), real(20), mixture) == only(run(), real(20), mixture)


def test_real_trials_of_an_edit_are_estimated_from_that_edit() -> None:
    harmed = [replace(trial, task=f"mug/{trial.task}", score=0.0) for trial in real(20)]
    found = only(suite(), harmed)
    assert (found.n, found.paired, found.real) == (20, 20, 0.0)
    assert found.N == 40 and found.value == 0.0
    both = only(suite(), [*real(20), *harmed])
    assert both.paired == 40 and both.N == 80
    assert both.value == pytest.approx(only(run(), real(20)).value / 2, abs=0.1)


def test_frames_drawn_from_the_mixture_credit_what_is_known_of_whole_tasks() -> None:
    """The world model knows which tasks succeed, and nothing about their single frames."""
    rng = np.random.default_rng(0)
    rates, records, trials = {"door": 0.95, "drawer": 0.05}, [], []
    for i in range(300):
        group = str(rng.choice(list(rates)))
        records.append(record("p", f"{group}/{i}", float(rng.random() < rates[group])))
        trials.append(RealTrial("p", f"{group}/{i}", "", float(rng.random() < rates[group])))
    within, mixed = (
        only(records, trials[:50]),
        only(records, trials[:50], mixture=True),
    )
    assert mixed.saved > 25 and within.saved < 5
    assert abs(mixed.value - 0.5) < 0.15 and mixed.high - mixed.low < 0.85 * (
        within.high - within.low
    )
    assert mixed.N == within.N == 250
    one = [trials[0], RealTrial("p", "door/999", "door", 1.0)]
    with pytest.raises(InputError, match=r"not in the run: door/999; .*leave out --mixture"):
        estimate(records, one, mixture=True)


@pytest.mark.parametrize("mixture", [False, True])
@pytest.mark.parametrize("names", [["door"], ["door-00", "door-01", "door-02", "door-03"]])
def test_real_frames_none_of_which_is_in_the_run_are_refused(
    names: list[str], mixture: bool
) -> None:
    """By the name of a group, say: the estimate would rest on the real trials alone."""
    trials = [RealTrial("good", name, "", 1.0) for name in names]
    shown = f"{len(names)} of {len(names)} real initial frames of good are not in the run: "
    with pytest.raises(InputError, match=f"{shown}{names[0]}.*named like door/.*: name those"):
        estimate(run(), trials, mixture=mixture)


def test_some_that_are_not_in_the_run_are_told() -> None:
    assert only(run(), real(20)).absent == ""
    found = only(run(), [*real(20), RealTrial("good", "door-00", "", 1.0)])
    assert found.absent == (
        "1 of 21 real initial frames of good are not in the run: door-00; "
        "its tasks are named like door/0"
    )


def test_a_twin_that_has_no_score_is_still_one_of_the_run_s_frames() -> None:
    unscored = [
        replace(r, score=None, reason="unclear") if r.task == "door/4" else r for r in run()
    ]
    assert any(r.task == "door/4" and r.policy == "good" for r in unscored)
    whole, found = (
        only(run(), real(20), mixture=True),
        only(unscored, real(20), mixture=True),
    )
    assert (whole.paired, found.paired) == (20, 19) and found.n == 20


def test_the_correlation_within_tasks_is_not_that_between_them() -> None:
    rates, records, trials = {"door": 19, "drawer": 1}, [], []
    for group, successes in rates.items():
        for i in range(40):
            score = float(i % 20 < successes)
            records.append(record("p", f"{group}/{i}", score))
            trials.append(RealTrial("p", f"{group}/{i}", "", score))
    some = [
        trial
        for trial in trials
        if int(trial.task.split("/")[1]) >= 19 or trial.task.endswith("/0")
    ]
    within = only(records, some)
    assert within.correlation == pytest.approx(1.0)


def test_a_probability_counts_where_the_judge_gave_one() -> None:
    sure = [replace(r, probability=0.9 * float(r.score or 0) + 0.05) for r in run()]
    by_verdict, by_probability = only(run(), real(40)), only(sure, real(40))
    assert (
        by_probability.belief > by_verdict.belief
        and by_probability.correlation == pytest.approx(by_verdict.correlation)
    )


def test_wrong_names_and_levels_get_one_sentence() -> None:
    with pytest.raises(InputError, match=r"no scored trial of the policy nobody.*good, poor"):
        estimate(run(), [RealTrial("nobody", "door/0", "", 1.0)])
    with pytest.raises(InputError, match="level"):
        estimate(run(), real(5), level=95)


rows = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0]), st.sampled_from("ab")),
    min_size=1,
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(rows, st.randoms(use_true_random=False), st.booleans(), st.booleans())
def test_the_order_of_rows_says_nothing(
    found: list[tuple[int, float, str]], random: Random, mixture: bool, corrected: bool
) -> None:
    """Of the real table and of the log, to the last bit; repeats, partial credit and all."""
    records = [
        record(policy, f"{group}/{i}", ((i * k) % 7) / 6, repeat=k)
        for policy in ("good", "poor")
        for group in ("door", "lid")
        for i in range(12)
        for k in range(2)
    ]
    trials = [
        RealTrial(policy, f"{'door' if i % 2 else 'lid'}/{i}", "" if group == "a" else group, score)
        for policy in ("good", "poor")
        for i, score, group in found
    ]
    outcomes = [
        ("x", group, i % 2 == 0, (i % 2 == 0) ^ (i % 5 == 3))
        for group in ("door", "lid")
        for i in range(14)
    ]
    calibration = EvaluatorCalibration.of("w", "j", outcomes) if corrected else None

    def by_policy() -> dict[str, PolicyEstimate]:
        estimates = estimate(records, trials, mixture=mixture, calibration=calibration).estimates
        return {e.policy: e for e in estimates}

    before = by_policy()
    random.shuffle(records)
    random.shuffle(trials)
    assert by_policy() == before
