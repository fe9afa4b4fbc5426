"""What a trial's company says of its verdict."""

from __future__ import annotations

import pytest

from worldgym.io.run_records import TrialRecord
from worldgym.trust.error_signals import other_trial_signals


def records(policy: str, group: str, scores: list[float]) -> list[TrialRecord]:
    return [
        TrialRecord(policy, f"{group}/{i}", group, "do it", 0, i, score=score)
        for i, score in enumerate(scores)
    ]


def disagreeing(*made: list[TrialRecord]) -> list[float]:
    return [
        row["disagreeing_trials"]
        for row in other_trial_signals([record for some in made for record in some])
    ]


def test_disagreement_is_largest_for_the_verdict_that_stands_alone() -> None:
    assert disagreeing(records("p", "door", [1, 1, 1, 0])) == [0.375, 0.375, 0.375, 0.875]
    assert disagreeing(records("p", "door", [0, 0, 0, 1])) == [
        0.375,
        0.375,
        0.375,
        0.875,
    ]  # either verdict counts alike


def test_only_the_same_policy_and_task_group_are_other_trials() -> None:
    apart = disagreeing(
        records("p", "door", [1, 1]), records("q", "door", [0]), records("p", "drawer", [0, 1])
    )
    assert apart == [0.25, 0.25, 0.5, 0.75, 0.75]


def test_nothing_and_a_single_trial() -> None:
    assert other_trial_signals([]) == []
    assert disagreeing(records("p", "door", [1])) == [pytest.approx(0.5)]
