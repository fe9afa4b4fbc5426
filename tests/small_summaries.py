"""Small summaries for the tests of reports: an empty run's, changed in what a test is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from small_logs import header

from worldgym.stats.against_truth import TruthAgreement
from worldgym.stats.ceiling import Ceiling, NoiseCeiling
from worldgym.stats.success_counts import CellSummary, PolicySummary
from worldgym.stats.summarize import summarize
from worldgym.stats.summary import Summary

EMPTY = summarize(header([]), [])


def summary(**changes: Any) -> Summary:
    """Of a run without policies and trials, but for these fields."""
    return replace(EMPTY, **changes)


def agreement(**changes: Any) -> TruthAgreement:
    """Over no cells, but for these fields."""
    return replace(EMPTY.agreement, **changes)


def ceiling(least: float, most: float, low: float = 0.5, high: float = 1.0) -> NoiseCeiling:
    """A perfect evaluator's mean r at its two ends; low and high: of 95 % of studies."""
    return NoiseCeiling(
        Ceiling(0.0, least, low, least, 5.0, 3.0), Ceiling(1.0, most, most, high, 1.0, 1.0), 1.0
    )


def cell(
    policy: str = "good",
    task: str = "door",
    rate: float = 0.5,
    truth: float | None = 0.75,
    trials: int = 20,
) -> CellSummary:
    return CellSummary(task=task, **_counts(policy, rate, trials, truth))


def total(policy: str, rate: float, trials: int = 20, truth: float | None = None) -> PolicySummary:
    return PolicySummary(mean_over_tasks=None, **_counts(policy, rate, trials, truth))


def _counts(policy: str, rate: float, trials: int, truth: float | None) -> dict[str, Any]:
    known = {
        "policy": policy,
        "trials": trials,
        "successes": rate * trials,
        "unscored": 0,
        "failed": 0,
        "planned": trials,
        "missing": 0,
        "initial_frames": trials,
        "rate": rate if trials else None,
        "low": 0.25,
        "high": 0.7,
    }
    if truth is None:
        return known
    return known | {
        "truth_trials": 20,
        "truth_successes": 20 * truth,
        "truth_rate": truth,
        "truth_low": 0.5,
        "truth_high": 0.9,
    }
