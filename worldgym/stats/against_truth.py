"""A run's verdicts against the known truth: cell by cell and, from the same frame, trial by trial.

Truth and verdict start from the same initial frame, so part of their noise is shared; how much is
estimated from the trials.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from worldgym.io.attempts import Attempted
from worldgym.stats.agreement import Agreement, agreement_of_cells
from worldgym.stats.cells import CellPair, SharedFrames
from worldgym.stats.comparison import paired_interval
from worldgym.stats.per_frame import Numbers, clustered_mean
from worldgym.stats.success_counts import CellSummary
from worldgym.stats.success_rates import score_rate

Key = tuple[str, str]  # policy, group
NOTHING = np.zeros((0, 2))


@dataclass(frozen=True)
class TruthAgreement(Agreement):
    """The verdicts of a run against the known truth, by cells and by single trials."""

    trial_agreement: float | None = None
    """share of scored trials of known truth whose verdict equals it"""
    trial_low: float | None = None
    """lower end of its 95 % interval over initial frames"""
    trial_high: float | None = None
    """upper end"""
    trial_n: int = 0
    """scored trials of known truth"""
    trial_initial_frames: int = 0
    """their initial frames"""
    frame_correlation: float | None = None
    """correlation of verdict and truth of the same initial frame, within cells; an imperfect
    evaluator's is at most the square root of the share of outcomes that the frame decides"""


def truth_agreement(cells: Sequence[CellSummary], trials: Sequence[Attempted]) -> TruthAgreement:
    """Over the cells with both rates, and over single trials.   trials: one record each."""
    by_cell = _by_cell(trials)
    pairs = [
        _pair(cell, cell.rate, cell.truth_rate, by_cell.get((cell.policy, cell.task), ()))
        for cell in cells
        if cell.rate is not None and cell.truth_rate is not None
    ]
    shared = [_both(by_cell.get((pair.policy, pair.task), ())) for pair in pairs]
    together = frame_correlation(shared)
    known = [r for own in by_cell.values() for r in own if r.right is not None]
    frames = [r.task for r in known]
    right = score_rate([1.0 if r.right else 0.0 for r in known], frames)
    return TruthAgreement(
        **vars(agreement_of_cells(pairs, least_share=max(0.0, together or 0.0) ** 2)),
        trial_agreement=right.value,
        trial_low=right.low if known else None,
        trial_high=right.high if known else None,
        trial_n=len(known),
        trial_initial_frames=len(set(frames)),
        frame_correlation=together,
    )


def _by_cell(trials: Iterable[Attempted]) -> dict[Key, list[Attempted]]:
    """Cells, and the trials of each, sorted: sums do not depend on the log's order."""
    cells = defaultdict[Key, list[Attempted]](list)
    for r in trials:
        cells[r.policy, r.group].append(r)
    for own in cells.values():  # a million keys at once would take 200 MB
        own.sort(key=lambda r: r.key)
    return dict(sorted(cells.items()))


def frame_correlation(cells: Sequence[Numbers]) -> float | None:
    """Correlation of the two columns within cells, each [F, 2]: both minus their cell's mean."""
    centred = np.concatenate([NOTHING, *(rows - rows.mean(axis=0) for rows in cells if len(rows))])
    squares = centred.T @ centred
    scale = float(np.sqrt(squares[0, 0] * squares[1, 1]))
    return None if scale < 1e-9 else float(np.clip(squares[0, 1] / scale, -1.0, 1.0))


def shared_frames(trials: Sequence[Attempted], gap: float) -> SharedFrames | None:
    """What one cell's trials show of its noise. gap: world minus truth of the cell.

    None with fewer than two initial frames that have verdict and truth.
    """
    both = _both(trials)
    scored = [(r.score, r.task) for r in trials if r.score is not None]
    truths = _truths(trials)
    F = len(both)
    m = len(truths)
    y = float(np.mean(list(truths.values()))) if truths else 0.0
    if F < 2:
        return None
    scores = np.array([score for score, _ in scored])
    frames = [frame for _, frame in scored]
    own = [i for i, frame in enumerate(frames) if frame in truths]
    a = scores[own]
    names = [frames[i] for i in own]
    b = np.array([truths[frame] for frame in names])
    shift = gap - float(np.mean(a - b))  # frames with one of the two alone count in the gap too
    low, high = paired_interval(a, b, names)
    covariance = float(np.cov(both.T)[0, 1]) * F / (len(set(frames)) * m)
    return SharedFrames(
        clustered_mean(scores, frames).variance,
        y * (1 - y) / (m - 1),
        covariance,
        frames=F,
        trials=len(own),
        difference=(max(-1.0, low + shift), min(1.0, high + shift)),
    )


def _pair(cell: CellSummary, world: float, truth: float, trials: Sequence[Attempted]) -> CellPair:
    shared = shared_frames(trials, world - truth)
    counts = cell.trials, cell.truth_trials
    return CellPair(cell.policy, cell.task, world, truth, *counts, shared)


def _both(trials: Sequence[Attempted]) -> Numbers:
    """Mean score and truth of each initial frame that has both: [F, 2]."""
    truths = _truths(trials)
    scores = defaultdict[str, list[float]](list)
    for r in trials:
        if r.score is not None:
            scores[r.task].append(r.score)
    rows = [(float(np.mean(own)), truths[task]) for task, own in scores.items() if task in truths]
    return np.array(rows, np.float64).reshape(-1, 2)


def _truths(trials: Sequence[Attempted]) -> dict[str, float]:
    return {r.task: float(r.truth) for r in trials if r.truth is not None}
