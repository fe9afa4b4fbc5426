from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.stats.against_truth import frame_correlation, shared_frames
from worldgym.stats.summarize import summarize

HEADER = RunHeader({}, "worldgym evaluate", ({"name": "a"},), "w", "j", 0, {}, "")


def record(
    policy: str, frame: str, score: float | None, truth: bool | None, repeat: int = 0
) -> TrialRecord:
    return TrialRecord(
        policy, frame, frame.split("/")[0], "", repeat, 0, score=score, reason="why", truth=truth
    )


def run(
    rng: np.random.Generator, wrong: float, policies: int = 3, tasks: int = 4, frames: int = 20
) -> list[TrialRecord]:
    """Truth by coin, of a rate of its own in each cell; the verdict errs with probability
    `wrong`."""
    records = []
    for i in range(policies):
        for j in range(tasks):
            rate = (i + j + 1) / (policies + tasks)
            for k in range(frames):
                truth = bool(rng.random() < rate)
                right = rng.random() >= wrong
                records.append(record(f"p{i}", f"t{j}/{k}", float(truth == right), truth))
    return records


def test_a_perfect_evaluator_of_a_run_passes_no_ceiling_and_has_no_noise() -> None:
    found = summarize(HEADER, run(np.random.default_rng(0), 0.0)).agreement
    assert found.noise_ceiling is not None and found.bias is not None
    ceiling, free = found.noise_ceiling, found.noise_free
    assert found.pearson == pytest.approx(1) and found.frame_correlation == pytest.approx(1)
    assert ceiling.most.mean == pytest.approx(1) == ceiling.least.mean
    assert free.keys() == {"measured"} and free["measured"].pearson == pytest.approx(1)
    assert free["measured"].slope == pytest.approx(1)
    assert found.bias.value == 0 and found.bias.trials[0] < 0 < found.bias.trials[1]


def test_what_the_frames_share_is_measured() -> None:
    found = summarize(HEADER, run(np.random.default_rng(1), 0.15)).agreement
    assert 0.3 < found.frame_correlation < 0.9
    least = found.noise_ceiling.least
    assert least.share == pytest.approx(found.frame_correlation**2)
    assert least.mean < found.noise_ceiling.most.mean == pytest.approx(1)


def test_verdict_agreement_counts_initial_frames() -> None:
    """Four repeats of each frame that are all alike say no more than one."""
    rng = np.random.default_rng(2)
    once = run(rng, 0.2, policies=1, tasks=1, frames=30)
    often = [record(r.policy, r.task, r.score, r.truth, k) for r in once for k in range(4)]
    spans = []
    for records in (once, often):
        found = summarize(HEADER, records).agreement
        spans.append((found.trial_agreement, found.trial_low, found.trial_high))
        assert found.trial_initial_frames == 30 and found.trial_n == len(records)
    assert spans[0] == pytest.approx(spans[1])
    assert spans[0][1] < spans[0][0] < spans[0][2]


def test_without_truth_single_trials_tell_nothing() -> None:
    found = summarize(HEADER, [record("a", "t/0", 1.0, None)]).agreement
    names = ("trial_agreement", "trial_low", "trial_high", "frame_correlation")
    assert [vars(found)[name] for name in names] == [None] * 4
    assert found.trial_n == found.trial_initial_frames == 0


def test_sampling_variances_are_those_of_repeated_studies() -> None:
    """Frames of their own difficulty, verdicts that follow the truth in part, two repeats each."""
    rng, told, rates = np.random.default_rng(3), [], []
    for _ in range(500):
        truth = rng.random(12) < 0.6
        scores = np.where(rng.random((2, 12)) < 0.7, truth, rng.random((2, 12)) < 0.5).astype(float)
        trials = [
            record("a", f"t/{i}", scores[k, i], bool(truth[i]), k)
            for i in range(12)
            for k in range(2)
        ]
        found = shared_frames(trials, float(scores.mean() - truth.mean()))
        assert found is not None and (found.frames, found.trials) == (12, 24)
        told.append((found.world_variance, found.truth_variance, found.covariance))
        rates.append((scores.mean(), truth.mean()))
    known = np.cov(np.array(rates).T)
    assert np.mean(told, axis=0) == pytest.approx((known[0, 0], known[1, 1], known[0, 1]), rel=0.2)


def test_frames_that_one_side_lacks_share_no_noise() -> None:
    trials = [record("a", f"t/{i}", float(i % 2) if i < 4 else None, i % 3 == 0) for i in range(8)]
    found = shared_frames(trials, 0.1)
    assert found is not None and (found.frames, found.trials) == (4, 4)
    assert -1 <= found.difference[0] < 0.1 < found.difference[1] <= 1
    assert shared_frames(trials[:1], 0.0) is None and shared_frames([], 0.0) is None
    assert shared_frames([record("a", f"t/{i}", 1.0, None) for i in range(3)], 0.0) is None


def test_the_correlation_is_within_cells() -> None:
    alike = np.array([[1.0, 1.0], [0.0, 0.0]])
    assert frame_correlation([alike, alike]) == pytest.approx(1)
    assert frame_correlation([alike, 1 - alike[:, ::-1] * [1, 0]]) is not None
    assert frame_correlation([]) is None
    assert frame_correlation([np.ones((5, 2)), np.zeros((5, 2))]) is None  # nothing varies within


@pytest.mark.slow
def test_verdict_agreement_is_covered(measured: Callable[..., None]) -> None:
    """40 frames that mislead the judge more or less, three policies from each of them."""
    rng, inside = np.random.default_rng(4), 0
    for _ in range(300):
        hard = rng.beta(8, 2, 40)
        records = [
            record(f"p{i}", f"t/{k}", float(rng.random() < hard[k]), True)
            for i in range(3)
            for k in range(40)
        ]
        found = summarize(HEADER, records).agreement
        inside += found.trial_low <= 0.8 <= found.trial_high
    measured(inside / 300, 0.92, 0.98)
