"""How far a judge may be trusted, from videos whose outcome is known, and success rates corrected for its errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.confusion import Confusion
from worldgym.errors import InputError
from worldgym.files import read_json
from worldgym.stats.rates import Interval, Rate, wilson_rate
from worldgym.stats.resampling import fisher_interval, resample

CALIBRATION_NAME = "calibration.json"
RESAMPLES = 2000
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """One video of known outcome. score: the verdict's, None = unscored.   probability: the judge's own, None = it has none."""

    truth: bool
    score: float | None
    probability: float | None = None

    @property
    def success(self) -> bool | None:
        """The verdict as yes or no, as in the run log: above one half. None if unscored."""
        return None if self.score is None else self.score > 0.5


def true_positive_rate(counts: Confusion) -> Rate:
    """Share of the scored true successes that were judged so (sensitivity), with its Wilson interval."""
    return wilson_rate(counts.true_success, counts.successes)


def false_positive_rate(counts: Confusion) -> Rate:
    """Share of the scored true failures that were judged successes (1 - specificity), with its Wilson interval."""
    return wilson_rate(counts.false_success, counts.failures)


def abstained(counts: Confusion) -> tuple[Rate, Rate]:
    """Share unscored among true successes, and among true failures. Where they differ, rates of scored trials are biased."""
    successes, failures = counts.successes + counts.unscored_success, counts.failures + counts.unscored_failure
    return wilson_rate(counts.unscored_success, successes), wilson_rate(counts.unscored_failure, failures)


@dataclass(frozen=True)
class Corrected:
    """A success rate corrected for the judge's errors, in [0, 1]. value None = the judge does not tell success from failure."""

    value: float | None
    low: float
    high: float


def corrected_rate(successes: int, trials: int, counts: Confusion, level: float = 0.95) -> Corrected:
    """The Rogan-Gladen estimate, (p + spec - 1) / (sens + spec - 1) kept within [0, 1]: W. J. Rogan and B. Gladen (1978),
    Am. J. Epidemiol. 107, 71-76. Its interval carries the sampling of the calibration's successes and failures as well as of
    the trials: Z. Lang and J. Reiczigel (2014), Prev. Vet. Med. 113, 13-22.

    successes of trials: verdicts above one half, scored trials only. The calibration's videos must be like the trials'
    videos: a judge calibrated on real video may err otherwise on imagined video. (0, 1) without trials, without known
    successes or failures, or where sens + spec - 1 is not above 0 by its own standard error times z.
    """
    n_sens, n_spec = counts.successes, counts.failures
    if not trials or not n_sens or not n_spec:
        return Corrected(None, 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + level) / 2)
    sens, spec = (counts.true_success + 1) / (n_sens + 2), (counts.true_failure + 1) / (n_spec + 2)
    var_sens, var_spec = sens * (1 - sens) / (n_sens + 2), spec * (1 - spec) / (n_spec + 2)
    youden = sens + spec - 1
    if youden <= z * math.sqrt(var_sens + var_spec):
        return Corrected(None, 0.0, 1.0)
    p, n = (successes + z**2 / 2) / (trials + z**2), trials + z**2
    rate = (p + spec - 1) / youden
    shift = 2 * z**2 * (rate * var_sens - (1 - rate) * var_spec)
    half = z / youden * math.sqrt(p * (1 - p) / n + rate**2 * var_sens + (1 - rate) ** 2 * var_spec)
    plain = counts.true_success / n_sens, counts.true_failure / n_spec
    value = _unit((successes / trials + plain[1] - 1) / (plain[0] + plain[1] - 1))
    low, high = _unit(rate + shift - half), _unit(rate + shift + half)
    return Corrected(value, min(low, value), max(high, value))


@dataclass(frozen=True)
class Calibration:
    """What corrects a run's rates: counts of a judge, by its name."""

    judge: str
    counts: Confusion

    @staticmethod
    def read(path: Path) -> Calibration:
        """From the calibration.json of `worldgym judge calibrate`. InputError if it is none."""
        data = read_json(path, "a calibration")
        try:
            return Calibration(str(data["judge"]), Confusion(**{name: int(n) for name, n in data["counts"].items()}))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(f"{path}: not a calibration; make one with  worldgym judge calibrate") from None

    @staticmethod
    def of_run(run: Path) -> Calibration | None:
        """RUN/calibration.json; None where there is none."""
        path = run / CALIBRATION_NAME
        return Calibration.read(path) if path.exists() else None

    def check(self, judge: str) -> None:
        """InputError unless it is of this judge."""
        if judge != self.judge:
            raise InputError(f"the calibration is of the judge {self.judge}, the run's judge is {judge}; calibrate that one")


def cohens_kappa(counts: Confusion, level: float = 0.95) -> tuple[float | None, Interval]:
    """Agreement beyond chance over the scored videos, in [-1, 1]: J. Cohen (1960), Educ. Psychol. Meas. 20, 37-46.

    None where one side has a single outcome. The interval is a percentile bootstrap over videos, (-1, 1) where undefined.
    """
    table = np.array([counts.true_success, counts.false_success, counts.false_failure, counts.true_failure], float)
    n = table.sum()
    if n == 0 or math.isnan(point := float(_kappa(table))):
        return None, (-1.0, 1.0)
    drawn = np.random.default_rng(0).multinomial(int(n), table / n, RESAMPLES).astype(float)
    low, high = np.nanquantile(_kappa(drawn), [(1 - level) / 2, (1 + level) / 2])
    return point, (float(low), float(high))


def krippendorff_alpha(
    ratings: Sequence[Sequence[float | None]], scale: str = "nominal", level: float = 0.95
) -> tuple[float | None, Interval]:
    """Agreement of any number of raters, some of whom may have left out some units: K. Krippendorff (2011), "Computing
    Krippendorff's alpha-reliability". One row a unit, one entry a rater, None = no rating.

    scale: "nominal", "ordinal" or "interval".   None where nothing varies or no unit has two ratings. The interval is a bootstrap
    over units (see `fisher_interval`), (-1, 1) where undefined.
    """
    values = sorted({rating for unit in ratings for rating in unit if rating is not None})
    tallies = np.array([[sum(rating == value for rating in unit) for value in values] for unit in ratings], float)
    tallies = tallies.reshape(len(ratings), len(values))
    tallies = tallies[tallies.sum(1) >= 2]
    pairs = tallies[:, :, None] * (tallies[:, None, :] - np.eye(len(values)))
    pairs /= (tallies.sum(1) - 1)[:, None, None]  # [units, values, values], the coincidences of each unit
    point = float(_alpha(pairs.sum(0), values, scale))
    if math.isnan(point):
        return None, (-1.0, 1.0)
    drawn = resample(np.arange(len(pairs)), RESAMPLES) @ pairs.reshape(len(pairs), -1)
    return point, fisher_interval(point, _alpha(drawn.reshape(-1, len(values), len(values)), values, scale), len(pairs), level)


def threshold_curve(judged: Sequence[Judged]) -> list[dict[str, float | None]]:
    """TPR and FPR if every probability from a threshold on were a success, for each probability that occurs, rising."""
    known = [(j.probability, j.truth) for j in judged if j.probability is not None]
    curve: list[dict[str, float | None]] = []
    for threshold in sorted({p for p, _ in known}):
        tpr, fpr = (_share([p >= threshold for p, truth in known if truth is side]) for side in (True, False))
        curve.append({"threshold": threshold, "tpr": tpr, "fpr": fpr})
    return curve


def area_under_curve(judged: Sequence[Judged]) -> float | None:
    """Probability that a success gets a higher probability than a failure, ties one half. None without both."""
    sides = [np.array([j.probability for j in judged if j.probability is not None and j.truth is side]) for side in (True, False)]
    if not all(map(len, sides)):
        return None
    gaps = sides[0][:, None] - sides[1][None, :]
    return float(np.mean((gaps > 0) + 0.5 * (gaps == 0)))


def abstention_curve(judged: Sequence[Judged]) -> list[dict[str, float | None]]:
    """Coverage and accuracy if the judge declined where its probability is less than `margin` from one half, margin rising."""
    known = [(abs(j.probability - 0.5), (j.probability > 0.5) == j.truth) for j in judged if j.probability is not None]
    curve: list[dict[str, float | None]] = []
    for margin in sorted({round(distance, 9) for distance, _ in known}):
        kept = [right for distance, right in known if distance >= margin - 1e-9]
        curve.append({"margin": margin, "coverage": len(kept) / len(known), "accuracy": _share(kept)})
    return curve


def calibration_figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """Everything above as plain JSON, None where a number is not defined."""
    counts = Confusion.of((j.truth, j.success) for j in judged)
    kappa, kappa_interval = cohens_kappa(counts)
    alpha, alpha_interval = krippendorff_alpha([[float(j.truth), j.success] for j in judged])
    return {
        "videos": len(judged),
        "counts": asdict(counts),
        "tpr": _rate(true_positive_rate(counts)),
        "fpr": _rate(false_positive_rate(counts)),
        "unscored_of_successes": _rate(abstained(counts)[0]),
        "unscored_of_failures": _rate(abstained(counts)[1]),
        "kappa": {"value": kappa, "low": kappa_interval[0], "high": kappa_interval[1]},
        "alpha": {"value": alpha, "low": alpha_interval[0], "high": alpha_interval[1]},
        "area_under_curve": area_under_curve(judged),
        "threshold_curve": threshold_curve(judged),
        "abstention_curve": abstention_curve(judged),
    }


def _kappa(tables: Matrix) -> Matrix:
    """[..., 4] counts => kappa [...]; nan where chance agreement is certain."""
    both, judged, true, neither = np.moveaxis(tables / tables.sum(-1, keepdims=True), -1, 0)
    chance = (both + judged) * (both + true) + (neither + judged) * (neither + true)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa: Matrix = np.where(chance < 1 - 1e-12, (both + neither - chance) / (1 - chance), np.nan)
    return kappa


def _alpha(coincidences: Matrix, values: Sequence[float], scale: str) -> Matrix:
    """[..., values, values] => alpha [...]; nan where nothing varies."""
    totals = coincidences.sum(-1)
    n = totals.sum(-1)
    distance = _distances(totals, values, scale)
    strangers = totals[..., :, None] * totals[..., None, :]
    expected = (strangers * distance).sum((-1, -2)) / np.maximum(n - 1, 1)
    found = (coincidences * distance).sum((-1, -2))
    return np.asarray(1 - found / np.where(expected > 0, expected, np.nan))


def _distances(totals: Matrix, values: Sequence[float], scale: str) -> Matrix:
    """Squared differences between values, [..., values, values]."""
    if scale == "nominal":
        return 1.0 - np.eye(len(values))
    if scale == "interval":
        places: Matrix = np.array(values)
    elif scale == "ordinal":
        places = np.cumsum(totals, axis=-1) - totals / 2  # rank of the middle of each value
    else:
        raise ValueError(f'scale must be "nominal", "ordinal" or "interval", not "{scale}"')
    squares: Matrix = (places[..., :, None] - places[..., None, :]) ** 2
    return squares


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _rate(rate: Rate) -> Mapping[str, float | None]:
    return {"value": rate.value, "low": rate.low, "high": rate.high, "of": rate.trials}


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
