"""Success rates over judged videos that do not come from a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from worldgym.stats.failure_reasons import FailureReasons, ReasonCount
from worldgym.stats.success_rates import wilson_rate


@dataclass(frozen=True)
class VideoCounts:
    """trials: scored videos.   successes: the sum of their scores.   low, high: 95 %, Wilson.
    failed: videos that could not be read or that the judge broke on."""

    videos: int
    trials: int
    successes: float
    rate: float | None
    low: float
    high: float
    unscored: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class InstructionCounts(VideoCounts):
    instruction: str


@dataclass(frozen=True, kw_only=True)
class VideosSummary(VideoCounts):
    """What OUT/summary.json holds. settings: of the judge.   notes: what is odd about videos, and
    about how many."""

    reasons: FailureReasons
    instructions: tuple[InstructionCounts, ...]
    cost_usd: float
    paid_usd: float
    judge: str
    settings: Mapping[str, Any]
    notes: tuple[ReasonCount, ...] = ()


def video_counts(scores: Sequence[float], unscored: int, failed: int) -> VideoCounts:
    """scores: of the scored videos, in [0, 1]."""
    rate = wilson_rate(fsum(scores), len(scores))
    return VideoCounts(
        len(scores) + unscored + failed,
        len(scores),
        fsum(scores),
        rate.value,
        rate.low,
        rate.high,
        unscored,
        failed,
    )
