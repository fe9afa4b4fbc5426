"""How far a judge can be trusted, from videos with known outcome, and success rates corrected for
its errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from worldgym.errors import InputError
from worldgym.io.files import read_json
from worldgym.io.records import from_mapping, located
from worldgym.stats.confusion import Confusion
from worldgym.stats.success_rates import Rate, effective_trials, wilson_interval, wilson_rate
from worldgym.types import is_success

CALIBRATION_NAME = "calibration.json"
MOST_WORTH = 1e12
Verdicts = tuple[Sequence[bool], Sequence[str]]  # of scored trials, and their initial frames


@dataclass(frozen=True)
class Judged:
    """One video of known outcome. score: the verdict's, None = unscored.   probability: the judge's
    own, None = it has none.

    frame: name of its initial frame, which videos of several policies or repeats may share; "" = it
    has its own."""

    truth: bool
    score: float | None
    probability: float | None = None
    frame: str = ""

    @property
    def success(self) -> bool | None:
        """The verdict as yes or no, as in the run log: above one half. None if unscored."""
        return None if self.score is None else is_success(self.score)


@dataclass(frozen=True)
class Worth:
    """Effective numbers of independent videos among a calibration's scored true successes, and
    failures: videos of one initial frame are correlated (see success_rates.effective_trials)."""

    successes: float
    failures: float

    def __post_init__(self) -> None:
        if not all(0 <= n <= MOST_WORTH for n in (self.successes, self.failures)):
            raise ValueError(f'"worth" is not between 0 and {MOST_WORTH:g}')

    @staticmethod
    def of(judged: Sequence[Judged]) -> Worth:
        frames = video_frames(judged)
        return Worth(*(_worth(judged, frames, truth) for truth in (True, False)))


def true_positive_rate(counts: Confusion, worth: Worth | None = None) -> Rate:
    """Share of the scored true successes that were judged so (sensitivity), with its Wilson
    interval at what they are worth; None = every video has its own initial frame."""
    return _rate_worth(
        counts.true_success, counts.successes, None if worth is None else worth.successes
    )


def false_positive_rate(counts: Confusion, worth: Worth | None = None) -> Rate:
    """Share of the scored true failures that were judged successes (1 - specificity); interval as
    above."""
    return _rate_worth(
        counts.false_success, counts.failures, None if worth is None else worth.failures
    )


def abstained(counts: Confusion) -> tuple[Rate, Rate]:
    """Share unscored among true successes, and among true failures. Where they differ, rates of
    scored trials are biased."""
    successes = counts.successes + counts.unscored_success
    failures = counts.failures + counts.unscored_failure
    return wilson_rate(counts.unscored_success, successes), wilson_rate(
        counts.unscored_failure, failures
    )


@dataclass(frozen=True)
class Corrected:
    """A success rate corrected for the judge's errors, in [0, 1]. value None = the judge does not
    tell success from failure."""

    value: float | None
    low: float
    high: float


def corrected_rate(
    successes: float,
    trials: float,
    counts: Confusion,
    level: float = 0.95,
    worth: Worth | None = None,
) -> Corrected:
    """The Rogan-Gladen estimate, (p + spec - 1) / (sens + spec - 1) kept within [0, 1]: W. J. Rogan
    and B. Gladen (1978), Am. J. Epidemiol. 107, 71-76. Its interval carries the sampling of the
    calibration's successes and failures as well as of the trials: Z. Lang and J. Reiczigel (2014),
    Prev. Vet. Med. 113, 13-22.

    successes of trials: verdicts above one half, scored trials only, independent of each other: of
    repeats their effective number (see `Calibration.corrected`). worth: of the calibration's
    videos; None = they are independent. The calibration's videos must be like the trials'
    videos: a judge calibrated on real video may err otherwise on generated video. (0, 1) without
    trials, without known successes or failures, or where sens + spec - 1 is not above 0 by its own
    standard error times z."""
    if not trials or not counts.successes or not counts.failures:
        return Corrected(None, 0.0, 1.0)
    known = worth or Worth(counts.successes, counts.failures)
    plain = counts.true_success / counts.successes, counts.true_failure / counts.failures
    z = NormalDist().inv_cdf((1 + level) / 2)
    n_sens = known.successes + 2
    n_spec = known.failures + 2
    sens = (plain[0] * known.successes + 1) / n_sens
    spec = (plain[1] * known.failures + 1) / n_spec
    var_sens = sens * (1 - sens) / n_sens
    var_spec = spec * (1 - spec) / n_spec
    youden = sens + spec - 1
    if youden <= z * math.sqrt(var_sens + var_spec):
        return Corrected(None, 0.0, 1.0)
    p = (successes + z**2 / 2) / (trials + z**2)
    n = trials + z**2
    rate = (p + spec - 1) / youden
    shift = 2 * z**2 * (rate * var_sens - (1 - rate) * var_spec)
    half = z / youden * math.sqrt(p * (1 - p) / n + rate**2 * var_sens + (1 - rate) ** 2 * var_spec)
    value = _unit((successes / trials + plain[1] - 1) / (plain[0] + plain[1] - 1))
    low, high = _unit(rate + shift - half), _unit(rate + shift + half)
    return Corrected(value, min(low, value), max(high, value))


@dataclass(frozen=True)
class Calibration:
    """What corrects a run's rates: counts of a judge, by its name.

    worth: of its videos; None in a file of an older version, which did not know their initial
    frames: they are taken as independent.
    """

    judge: str
    counts: Confusion
    worth: Worth | None = None

    @staticmethod
    def read(path: Path) -> Calibration:
        """From the calibration.json of `worldgym judge calibrate`. InputError if it is none."""
        data = read_json(path, "a calibration")
        with located(f"{path}: not a calibration", "make one with `worldgym judge calibrate`"):
            return from_mapping(Calibration, data, more=True)

    @staticmethod
    def of_run(run: Path) -> Calibration | None:
        """RUN/calibration.json; None where there is none."""
        path = run / CALIBRATION_NAME
        return Calibration.read(path) if path.exists() else None

    def check(self, judge: str, world: str = "") -> None:
        """InputError unless it is of this judge, in whatever world."""
        if judge != self.judge:
            raise InputError(
                f"the calibration is of the judge {self.judge}, the run's judge is {judge}; "
                f"calibrate that one"
            )

    def corrected(
        self, verdicts: Sequence[bool], frames: Sequence[str], level: float = 0.95
    ) -> Corrected:
        """The corrected rate of a run's scored trials: their verdicts, and names of initial
        frames."""
        if not verdicts:
            return corrected_rate(0, 0, self.counts, level, self.worth)
        n = effective_trials(np.asarray(verdicts, np.float64), frames, level)
        return corrected_rate(sum(verdicts) / len(verdicts) * n, n, self.counts, level, self.worth)

    def corrected_over(
        self, policy: str, tasks: Mapping[str, Verdicts], level: float = 0.95
    ) -> Corrected:
        """The same of the scored trials of several tasks, by name; error rates are taken as equal
        in all tasks."""
        said = [verdict for own, _ in tasks.values() for verdict in own]
        return self.corrected(said, [frame for _, own in tasks.values() for frame in own], level)


def video_frames(judged: Sequence[Judged]) -> list[str]:
    """The initial frame of each; a video without a known one has its own."""
    return [f"frame {j.frame}" if j.frame else f"video {i}" for i, j in enumerate(judged)]


def _worth(judged: Sequence[Judged], frames: Sequence[str], truth: bool) -> float:
    return effective_verdicts(
        [
            (j.success is truth, frame)
            for j, frame in zip(judged, frames, strict=True)
            if j.truth is truth and j.success is not None
        ]
    )


def effective_verdicts(right: Sequence[tuple[bool, str]]) -> float:
    """Effective number of verdicts that are right or not, each with its initial frame."""
    if not right:
        return 0.0
    return effective_trials(
        np.array([hit for hit, _ in right], np.float64), [frame for _, frame in right]
    )


def _rate_worth(hits: int, videos: int, worth: float | None) -> Rate:
    n = videos if worth is None else worth
    low, high = wilson_interval(hits / videos * n if videos else 0.0, n)
    return Rate(hits, videos, low, high)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
