from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from small_logs import SIMPSON, header, record, run

from worldgym.errors import InputError
from worldgym.io.run_records import RunHeader
from worldgym.stats.planned_trials import Completeness
from worldgym.stats.success_counts import CellSummary
from worldgym.stats.success_rates import score_rate, wilson_interval
from worldgym.stats.summarize import summarize
from worldgym.stats.summary import Summary

HEADER = RunHeader(
    {"trials": 3},
    "worldgym evaluate",
    ({"name": "b"}, {"name": "a"}),
    "world-1",
    "judge-1",
    7,
    {},
    "",
)


RECORDS = [
    record("a", "door/1", 1.0, truth=True),
    record("a", "door/1", 0.5, truth=True, repeat=1),
    record("a", "door/2", 0.0, truth=False),
    record("a", "door/3", None, truth=True),
    record("a", "door/4", failure_reason="broke", truth=False),
    record("a", "drawer/1", 1.0),
    record("b", "drawer/1", failure_reason="broke"),
    record("b", "drawer/1", 1.0, attempt=2, truth=False),
    record("b", "door/1", None, truth=True),
]


def cell(summary: Summary, policy: str, task: str) -> CellSummary:
    found = summary.cell(policy, task)
    assert found is not None
    return found


def test_one_cell_by_hand() -> None:
    repeated = score_rate([1.0, 0.5, 0.0], ["door/1", "door/1", "door/2"])
    truth_low, truth_high = wilson_interval(2, 4)
    assert cell(summarize(HEADER, RECORDS), "a", "door") == CellSummary(
        policy="a",
        task="door",
        trials=3,
        successes=1.5,
        unscored=1,
        failed=1,
        planned=5,
        missing=0,
        initial_frames=2,
        rate=0.5,
        low=repeated.low,
        high=repeated.high,
        truth_trials=4,
        truth_successes=2,
        truth_rate=0.5,
        truth_low=truth_low,
        truth_high=truth_high,
    )


def test_unknown_truth_has_no_rate_and_counts_read_as_counts() -> None:
    unknown = cell(summarize(HEADER, RECORDS), "a", "drawer")
    assert (unknown.truth_trials, unknown.truth_rate) == (0, None)
    assert isinstance(unknown.successes, int)


def test_a_cell_without_a_score_has_no_rate() -> None:
    empty = cell(summarize(HEADER, RECORDS), "b", "door")
    assert (empty.trials, empty.unscored, empty.rate, empty.low, empty.high) == (
        0,
        1,
        None,
        0.0,
        1.0,
    )


def test_a_failed_attempt_that_was_made_good_is_no_failed_trial() -> None:
    made_good = cell(summarize(HEADER, RECORDS), "b", "drawer")
    assert (made_good.trials, made_good.failed) == (1, 0)


def test_policies_pool_their_cells_in_the_headers_order() -> None:
    summary = summarize(HEADER, RECORDS)
    assert [p.policy for p in summary.policies] == ["b", "a"]
    assert [(c.policy, c.task) for c in summary.cells] == [
        ("b", "door"),
        ("b", "drawer"),
        ("a", "door"),
        ("a", "drawer"),
    ]
    for policy in summary.policies:
        mine = [c for c in summary.cells if c.policy == policy.policy]
        for key in ("trials", "successes", "unscored", "failed", "planned", "missing"):
            assert vars(policy)[key] == sum(vars(c)[key] for c in mine)


def test_agreement_takes_cells_with_both_rates() -> None:
    measures = summarize(HEADER, RECORDS).agreement
    # a on door, b on drawer; a on drawer has no truth, b on door no score
    assert measures.n == 2
    assert measures.pearson is None
    assert measures.mean_abs_gap == pytest.approx(50)
    # right: door/1 and door/2
    assert (measures.trial_agreement, measures.trial_n) == (0.5, 4)


def test_the_summary_is_plain_json_even_of_nothing() -> None:
    for records in (RECORDS, RECORDS[-1:], []):
        summary = summarize(HEADER, records)
        values = summary.to_json()
        assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert summary.agreement.n == 0
    assert summary.agreement.mean_abs_gap is summary.agreement.trial_agreement is None
    assert (summary.config, summary.command, summary.world, summary.judge) == (
        {"trials": 3},
        "worldgym evaluate",
        "world-1",
        "judge-1",
    )


def test_the_order_of_trials_does_not_matter() -> None:
    scores = [0.1, 0.2, 0.3, 0.7, 0.9, 1.0]
    records = [record("a", f"door/{i}", score, truth=i % 2 == 0) for i, score in enumerate(scores)]
    shuffled = random.Random(0).sample(records, len(records))
    assert summarize(HEADER, shuffled) == summarize(HEADER, records)


def test_two_truths_of_one_task_are_an_error() -> None:
    with pytest.raises(InputError, match="b on door/1"):
        summarize(HEADER, [*RECORDS, record("b", "door/1", 1.0, repeat=1, truth=False)])


def test_truth_of_a_whole_group_counts_where_that_of_its_trials_is_not_known() -> None:
    whole = (
        {
            "policy": "a",
            "group": "door",
            "trials": 10,
            "successes": 9.5,
        },  # its trials are known, so it says nothing
        {"policy": "a", "group": "drawer", "trials": 10, "successes": 3.5},
        {"policy": "a", "group": "window", "trials": 10, "successes": 2.0},  # not evaluated
    )
    summary = summarize(replace(HEADER, truths=whole), RECORDS)
    door, drawer = (cell(summary, "a", group) for group in ("door", "drawer"))
    assert (door.truth_trials, door.truth_successes) == (4, 2)
    assert (drawer.truth_trials, drawer.truth_successes, drawer.truth_rate) == (
        10,
        3.5,
        0.35,
    )
    assert (drawer.truth_low, drawer.truth_high) == wilson_interval(3.5, 10)
    policy = summary.policies[1]
    assert (policy.truth_trials, policy.truth_successes) == (14, 5.5)
    assert summary.agreement.n == 3
    values = summary.to_json()
    assert json.loads(json.dumps(values, allow_nan=False)) == values


@pytest.mark.parametrize(
    "truth",
    [
        {"policy": "a", "group": "door", "trials": 10},
        {"policy": "a", "group": "door", "trials": 10, "successes": 11},
        {"policy": "a", "group": "door", "trials": 10, "successes": float("nan")},
    ],
)
def test_a_known_result_that_cannot_be_is_no_header(truth: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r'known result|"successes" is missing'):
        replace(HEADER, truths=(truth,))


def test_planned_trials_that_the_log_lacks_are_counted_policy_by_policy_and_task_by_task() -> None:
    plan = {"door": 4, "drawer": 2, "window": 1}
    records = run(
        {"a": {"door": [1.0, 0.0, 1.0, 1.0], "drawer": [1.0, None]}, "b": {"door": [1.0]}}
    )
    records.append(record("b", "door/1", failure_reason="broke"))
    summary = summarize(header(["a", "b", "late"], plan), records)
    counts = {(c.policy, c.task): (c.planned, c.missing) for c in summary.cells}
    assert (
        counts["a", "door"] == (4, 0)
        and counts["b", "door"] == (4, 2)
        and counts["late", "window"] == (1, 1)
    )
    assert [(p.planned, p.missing) for p in summary.policies] == [(7, 1), (7, 5), (7, 7)]
    assert summary.completeness == Completeness(
        known=True, shard=None, planned=21, missing=13, edited_missing=0, finished=7, failed=1
    )
    for cell in (*summary.cells, *summary.policies):
        assert cell.trials + cell.unscored + cell.failed + cell.missing == cell.planned
    assert (
        summary.unequal_mixture
        and summary.ranking is not None
        and summary.ranking.policies == ("a",)
        and summary.unranked == ("b",)
    )


def test_the_mean_over_tasks_weighs_them_alike() -> None:
    summary = summarize(header(["A", "B"]), run(SIMPSON))
    assert [p.mean_over_tasks for p in summary.policies] == pytest.approx(
        [(0.95 + 0.4) / 2, (0.85 + 0.1) / 2]
    )
    assert summary.unequal_mixture and [p.initial_frames for p in summary.policies] == [120, 120]
    lacking = summarize(header(["a", "b"]), run({"a": {"t": [1.0], "u": [0.0]}, "b": {"t": [1.0]}}))
    assert [p.mean_over_tasks for p in lacking.policies] == [0.5, None]
    equal = summarize(
        header(["a", "b"]),
        run({"a": {"t": [1.0, 0.0], "u": [0.0]}, "b": {"t": [1.0, 1.0], "u": [0.0]}}),
    )
    assert not equal.unequal_mixture
