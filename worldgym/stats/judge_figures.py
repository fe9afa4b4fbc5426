"""The figures of a calibration: rates with intervals, agreement beyond chance, and how a judge's
probability separates successes from failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from worldgym.stats.confusion import Confusion
from worldgym.stats.judge_calibration import (
    Judged,
    Worth,
    abstained,
    effective_verdicts,
    false_positive_rate,
    true_positive_rate,
    video_frames,
)
from worldgym.stats.raters import cohens_kappa, krippendorff_alpha
from worldgym.stats.success_rates import Rate
from worldgym.types import ROUNDING


def threshold_curve(judged: Sequence[Judged]) -> list[dict[str, float | None]]:
    """TPR and FPR if every probability from a threshold on were a success, for each probability
    that occurs, rising."""
    known = [(round(j.probability, 9), j.truth) for j in judged if j.probability is not None]
    curve: list[dict[str, float | None]] = []
    for threshold in sorted({p for p, _ in known}):
        tpr, fpr = (
            _share([p >= threshold for p, truth in known if truth is side])
            for side in (True, False)
        )
        curve.append({"threshold": threshold, "tpr": tpr, "fpr": fpr})
    return curve


def area_under_curve(judged: Sequence[Judged]) -> float | None:
    """Probability that a success gets a higher probability than a failure, ties one half. None
    without both."""
    sides = [
        np.array([j.probability for j in judged if j.probability is not None and j.truth is side])
        for side in (True, False)
    ]
    if not all(map(len, sides)):
        return None
    gaps = sides[0][:, None] - sides[1][None, :]
    return float(np.mean((gaps > ROUNDING) + 0.5 * (abs(gaps) <= ROUNDING)))


def abstention_curve(
    judged: Sequence[Judged], threshold: float = 0.5
) -> list[dict[str, float | None]]:
    """Coverage and accuracy if the judge declined where its probability is less than `margin` from
    its threshold, margin rising. Scored verdicts count as they are; where the judge declined, a
    probability from the threshold on counts as success."""
    known = [
        (abs(j.probability - threshold), _said(j, j.probability, threshold) == j.truth)
        for j in judged
        if j.probability is not None
    ]
    curve: list[dict[str, float | None]] = []
    for margin in sorted({round(distance, 9) for distance, _ in known}):
        kept = [right for distance, right in known if distance >= margin - ROUNDING]
        curve.append(
            {"margin": margin, "coverage": len(kept) / len(known), "accuracy": _share(kept)}
        )
    return curve


def calibration_figures(judged: Sequence[Judged], threshold: float = 0.5) -> dict[str, Any]:
    """Everything above as plain JSON, None where a number is not defined. threshold: the judge's
    own, of its probability."""
    counts = Confusion.of((j.truth, j.success) for j in judged)
    worth = Worth.of(judged)
    frames = video_frames(judged)
    scored = [
        (j.truth == j.success, frame)
        for j, frame in zip(judged, frames, strict=True)
        if j.success is not None
    ]
    kappa, kappa_interval = cohens_kappa(counts, videos=effective_verdicts(scored) or None)
    alpha, alpha_interval = krippendorff_alpha(
        [[float(j.truth), j.success] for j in judged], frames=frames
    )
    return {
        "videos": len(judged),
        "frames": len(set(frames)),
        "threshold": threshold,
        "counts": asdict(counts),
        "worth": asdict(worth),
        "tpr": _rate(true_positive_rate(counts, worth)),
        "fpr": _rate(false_positive_rate(counts, worth)),
        "unscored_of_successes": _rate(abstained(counts)[0]),
        "unscored_of_failures": _rate(abstained(counts)[1]),
        "kappa": {"value": kappa, "low": kappa_interval[0], "high": kappa_interval[1]},
        "alpha": {"value": alpha, "low": alpha_interval[0], "high": alpha_interval[1]},
        "area_under_curve": area_under_curve(judged),
        "threshold_curve": threshold_curve(judged),
        "abstention_curve": abstention_curve(judged, threshold),
    }


def _said(judged: Judged, probability: float, threshold: float) -> bool:
    return probability >= threshold - ROUNDING if judged.success is None else judged.success


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _rate(rate: Rate) -> Mapping[str, float | None]:
    return {"value": rate.value, "low": rate.low, "high": rate.high, "of": rate.trials}
