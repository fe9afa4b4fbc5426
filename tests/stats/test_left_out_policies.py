"""A policy is corrected by the others alone; where world and judge err alike for all, that
helps, and where they do not, that is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_logs import header, record

from worldgym.errors import InputError
from worldgym.io.run_records import TrialRecord
from worldgym.report.calibration_text import evaluator_text, left_out_text
from worldgym.stats.evaluator_calibration import EvaluatorCalibration
from worldgym.stats.left_out_policies import leave_policies_out
from worldgym.stats.summarize import summarize

POLICIES = ["a", "b", "c", "d", "e"]


def trials(lenient: float, frames: int = 40) -> list[TrialRecord]:
    """Five policies of different quality; so many of the failures are judged successes."""
    made = []
    for p, policy in enumerate(POLICIES):
        for group in ("door", "drawer"):
            for i in range(frames):
                truth = i % 10 < 2 * p
                rng = np.random.default_rng([p, i, len(group)])
                judged = truth or bool(rng.random() < lenient)
                made.append(record(policy, f"{group}/{i}", float(judged), truth=truth))
    return made


def test_errors_that_all_share_are_corrected() -> None:
    found = leave_policies_out(header(POLICIES), trials(0.4))
    assert found.helps and found.source == "run" and not found.uncorrected
    assert found.over_policies.raw_bias > 20 > 6 > abs(found.over_policies.corrected_bias)
    assert found.over_cells.corrected_gap < found.over_cells.raw_gap / 2
    assert found.over_cells.held >= 0.9 and found.over_cells.count == 10
    text = left_out_text(found)
    assert "helps policies that are not in it" in text and "  a: " in text


def test_its_own_trials_do_not_correct_a_policy() -> None:
    records = trials(0.0)
    turned = [  # one policy's world shows the opposite, which the others cannot know
        replace(r, score=1.0 - float(r.score or 0.0)) if r.policy == "b" else r for r in records
    ]
    (b,) = [p for p in leave_policies_out(header(POLICIES), turned).policies if p.policy == "b"]
    assert b.corrected == pytest.approx(b.raw, abs=0.1) and abs(b.corrected - b.truth) > 0.4


def test_recordings_serve_as_well_and_must_be_of_the_run() -> None:
    outcomes = [("x", "door", i % 2 == 0, i % 2 == 0 or i % 5 == 0) for i in range(60)]
    calibration = EvaluatorCalibration.of("w", "j", outcomes)
    found = leave_policies_out(header(POLICIES), trials(0.2), calibration)
    assert found.source == "recordings" and len(found.policies) == 5
    assert "door: " in evaluator_text(calibration)
    with pytest.raises(InputError, match="of the judge k"):
        leave_policies_out(
            header(POLICIES), trials(0.2), EvaluatorCalibration.of("w", "k", outcomes)
        )


def test_edited_twins_are_left_out() -> None:
    plain = trials(0.4)
    twins = [
        replace(r, task=f"dim/{r.task}", nominal=r.task, axis="lighting", score=0.0, truth=False)
        for r in plain
    ]
    both = leave_policies_out(header(POLICIES), [*plain, *twins])
    assert both == leave_policies_out(header(POLICIES), plain)


def test_without_truth_nothing_is_left_out() -> None:
    blind = [replace(r, truth=None) for r in trials(0.2)]
    with pytest.raises(InputError, match="two or more whose truth is known"):
        leave_policies_out(header(POLICIES), blind)
    failures = [replace(r, truth=False) for r in trials(0.2)]
    with pytest.raises(InputError, match="too few successes or failures"):
        leave_policies_out(header(POLICIES), failures)


def test_a_summary_shows_raw_and_corrected_rates() -> None:
    records = trials(0.4)
    outcomes = [(r.policy, r.group, bool(r.truth), r.succeeded) for r in records]
    calibration = EvaluatorCalibration.of("w", "j", outcomes)
    summary = summarize(header(POLICIES), records, calibration)
    assert summary.calibration is not None and summary.calibration.replayed
    for part in (*summary.cells, *summary.policies):
        assert part.corrected is not None and part.corrected.rate is not None
        truth = float(part.truth_rate or 0.0)
        assert abs(part.corrected.rate - truth) < (0.2 if part in summary.cells else 0.12)
        assert part.corrected.low <= part.corrected.rate <= part.corrected.high


def test_repeats_of_one_initial_frame_are_no_further_videos() -> None:
    once = trials(0.4, frames=10)
    often = [replace(r, repeat=repeat) for r in once for repeat in range(5)]
    found, expected = (leave_policies_out(header(POLICIES), own) for own in (often, once))
    for a, b in zip(found.policies, expected.policies, strict=True):
        assert (a.corrected, a.low, a.high) == pytest.approx((b.corrected, b.low, b.high), abs=0.03)
