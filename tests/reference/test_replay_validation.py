from __future__ import annotations

from dataclasses import replace

import pytest

from worldgym.reference.replay_validation import summarize_replays
from worldgym.trust.replay_test import ReplayOutcome


def outcome(task: str, success: bool, judged: bool | None, level: float) -> ReplayOutcome:
    return ReplayOutcome(f"{task}/1", task, success, (level,) * 40, judged, success)


def test_figures_of_known_outcomes() -> None:
    outcomes = [
        outcome("a", True, True, 30.0),
        outcome("a", False, True, 20.0),
        outcome("b", True, None, 10.0),
        outcome("b", False, False, 20.0),
    ]
    figures = summarize_replays(outcomes, {"a": 0.5, "b": None})
    assert figures["tasks"]["a"]["psnr_10"] == 25.0 and figures["tasks"]["b"]["psnr_40"] == 15.0
    assert figures["tasks"]["a"]["judged_agreement"] == 0.5
    # the unscored one leaves the denominator
    assert figures["tasks"]["b"]["judged_agreement"] == 1.0
    assert figures["mean_over_tasks"]["judged_agreement"] == pytest.approx(0.75)
    assert figures["all_episodes"]["judged_agreement"] == pytest.approx(2 / 3)
    assert figures["all_episodes"]["recorded_agreement"] == 1.0
    assert figures["tasks"]["a"]["shuffled_success_rate"] == 0.5
    assert figures["mean_over_tasks"]["shuffled_success_rate"] == 0.5  # of the tasks that have one
    assert figures["all_episodes"]["episodes"] == 4


def test_figures_of_further_views() -> None:
    one = replace(outcome("a", True, True, 30.0), others={"wrist": (20.0,) * 12})
    figures = summarize_replays([one, outcome("b", True, True, 10.0)], {"a": None, "b": None})
    assert figures["all_episodes"]["psnr_10"] == 20.0
    assert figures["all_episodes"]["psnr_10_wrist"] == 20.0
    assert "psnr_40_wrist" not in figures["all_episodes"]
    assert figures["mean_over_tasks"]["psnr_10_wrist"] == 20.0  # of the tasks that have it
