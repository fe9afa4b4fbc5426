"""From signals of a rollout to the probability that its verdict is wrong: a logistic regression,
and how good it is.

Rows are rollouts whose verdict and truth are known. Scored out of fold only: a row's probability
comes from a fit that has seen no row of its own policy (or of its own task).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.errors import CheckpointError, InputError
from worldgym.io.files import read_json, write_json
from worldgym.io.migration import migrated_predictor
from worldgym.io.records import from_mapping, located
from worldgym.stats.judge_calibration import Judged
from worldgym.stats.judge_figures import area_under_curve
from worldgym.stats.per_frame import Flags, Numbers
from worldgym.types import ROUNDING

KIND = "error-predictor"
RIDGE = 1.0  # prior precision of a coefficient, for signals of unit variance
# shares of rollouts with the highest P(wrong), left out along the risk-coverage curve
DROPPED = (0.0, 0.1, 0.2, 0.3)


@dataclass(frozen=True)
class ErrorPredictor:
    """P(wrong) = 1 / (1 + exp(-(intercept + sum of coefficients x (signal - mean) / deviation))).

    signals: their names, one of each number.   threshold: rollouts at or above it are flagged,
    a tenth of those of the fit (see `flag_threshold`).
    world, judge: names of those whose rollouts it was fitted on.   facts: how good it was shown to
    be."""

    signals: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    threshold: float
    world: str
    judge: str
    facts: Mapping[str, Any]

    def __post_init__(self) -> None:
        lists = (self.signals, self.mean, self.deviation, self.coefficients)
        if len({len(values) for values in lists}) != 1:
            raise ValueError("its lists differ in length")

    def p_wrong(self, rows: Sequence[Mapping[str, float]]) -> Numbers:
        """Probability that each verdict is wrong, in [0, 1]."""
        values = signal_matrix(rows, self.signals)
        unit = (values - np.array(self.mean)) / np.array(self.deviation)
        return _logistic(self.intercept + unit @ np.array(self.coefficients))

    def check(
        self, world: str, judge: str, inverse_dynamics: str | None, motions: str | None = None
    ) -> None:
        """CheckpointError if it was fitted on another world's rollouts, another judge's verdicts,
        another inverse-dynamics model's readings or other known motions."""
        if motions != self.facts.get("motions", motions):
            raise CheckpointError(
                f"the error predictor was fitted with {self.facts['motions']}, here is "
                f"{motions or 'none'}; put it beside the world, or fit again with `worldgym world "
                f"fit-error-predictor`"
            )
        if (self.world, self.judge) != (world, judge):
            raise CheckpointError(
                f"the error predictor was fitted on the world {self.world} and the judge "
                f"{self.judge}, here "
                f"are {world} and {judge}; "
                f"fit one with `worldgym world fit-error-predictor`, or leave it out"
            )
        if (
            inverse_dynamics is not None
            and self.facts.get("inverse_dynamics", inverse_dynamics) != inverse_dynamics
        ):
            raise CheckpointError(
                f"the error predictor was fitted on readings of {self.facts['inverse_dynamics']}, "
                f"here is {inverse_dynamics}; fit "
                f"one with `worldgym world fit-error-predictor`"
            )

    def save(self, path: Path) -> None:
        write_json(path, {"kind": KIND, **asdict(self)})

    @staticmethod
    def load(path: Path) -> ErrorPredictor:
        """InputError if there is none."""
        data = migrated_predictor(read_json(path, "an error predictor"))
        with located(path, "make one with `worldgym world fit-error-predictor`"):
            if data.pop("kind", None) != KIND:
                raise InputError("is no error predictor")
            return from_mapping(ErrorPredictor, data)


@dataclass(frozen=True)
class Fit:
    """Of standardised signals: P(wrong) = logistic(intercept + unit @ coefficients)."""

    mean: Numbers
    deviation: Numbers
    coefficients: Numbers
    intercept: float

    def p_wrong(self, values: Numbers) -> Numbers:
        return _logistic(self.intercept + (values - self.mean) / self.deviation @ self.coefficients)


def signal_matrix(rows: Sequence[Mapping[str, float]], signals: Sequence[str]) -> Numbers:
    """[N, S]. InputError names a signal that a row lacks."""
    for row in rows:
        if missing := next((name for name in signals if name not in row), None):
            raise InputError(
                f'the signal "{missing}" was not measured; measure rollouts as they were for the '
                f"fit of the error predictor"
            )
    return np.array([[row[name] for name in signals] for row in rows], np.float64).reshape(
        len(rows), len(signals)
    )


def fit_logistic(values: Numbers, wrong: Flags) -> Fit:
    """Penalised maximum likelihood by Newton's method. values [N, S], N >= 1; signals without
    spread get no weight."""
    mean = values.mean(0)
    deviation = values.std(0)
    deviation = np.where(deviation > 1e-9, deviation, 1.0)
    design = np.hstack([np.ones((len(values), 1)), (values - mean) / deviation])
    # a little on the intercept too: it is finite where all are right
    penalty = np.diag([1e-3, *[RIDGE] * values.shape[1]])
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        p = _logistic(design @ weights)
        gradient = design.T @ (p - wrong) + penalty @ weights
        step = np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]) + penalty, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return Fit(mean, deviation, weights[1:], float(weights[0]))


def out_of_fold(values: Numbers, wrong: Flags, folds: Sequence[str]) -> Numbers:
    """P(wrong) of each row from a fit on the rows of all other folds. InputError for a single
    fold."""
    names = np.array(folds)
    if len(set(folds)) < 2:
        raise InputError(
            "an error predictor is scored on policies and tasks that it was not fitted on, so it "
            "needs two or "
            "more of each"
        )
    p_wrong = np.zeros(len(values))
    for name in set(folds):
        own = names == name
        p_wrong[own] = fit_logistic(values[~own], wrong[~own]).p_wrong(values[own])
    return p_wrong


def auroc(p_wrong: Numbers, wrong: Flags) -> float | None:
    """Probability that a wrong verdict has a higher P(wrong) than a right one. None without
    both."""
    return area_under_curve(
        [Judged(bool(w), None, float(d)) for d, w in zip(p_wrong, wrong, strict=True)]
    )


def risk_coverage(p_wrong: Numbers, wrong: Flags) -> list[dict[str, float]]:
    """Share of right verdicts after those with the highest P(wrong) are left out: R. El-Yaniv and
    Y. Wiener (2010), JMLR 11. Of rollouts with the same P(wrong) any may go, so each counts as
    their mean."""
    _, errors = _ordered(p_wrong, wrong)
    curve = []
    for share in DROPPED:
        kept = errors[: len(errors) - round(share * len(errors))]
        curve.append({"dropped": share, "kept": len(kept), "agreement": float(1.0 - kept.mean())})
    return curve


def reliability(p_wrong: Numbers, wrong: Flags) -> list[dict[str, float]]:
    """Mean P(wrong) against the share of wrong verdicts, in five bins of equal size: the same on
    both sides if calibrated. Rollouts with the same P(wrong) count as their mean."""
    bins = zip(*(np.array_split(column, 5) for column in _ordered(p_wrong, wrong)), strict=True)
    return [
        {"rollouts": len(p), "p_wrong": float(p.mean()), "wrong": float(errors.mean())}
        for p, errors in bins
        if len(p)
    ]


def flag_threshold(p_wrong: Numbers, share: float) -> float:
    """P(wrong) from which on a rollout is flagged: this share of them, or as many fewer as it takes
    not to tell equal ones apart. Never all of several: none where all are equal."""
    threshold = float(np.quantile(p_wrong, 1.0 - share))
    flagged = p_wrong >= threshold - ROUNDING
    if flagged.sum() <= np.ceil(share * len(p_wrong)):
        return threshold
    tied = flagged & (p_wrong <= threshold + ROUNDING)
    above = p_wrong[flagged & ~tied]
    highest = float(above.min()) if len(above) else 1.0
    equal = float(p_wrong[tied].max())
    return max((equal + highest) / 2, equal + 2 * ROUNDING)


def _ordered(p_wrong: Numbers, wrong: Flags) -> tuple[Numbers, Numbers]:
    """(P(wrong) rising, share of wrong verdicts among those with the same), both [N]."""
    order = np.argsort(p_wrong, kind="stable")
    rising = p_wrong[order]
    tie = np.cumsum(np.diff(rising, prepend=rising[:1]) > ROUNDING)
    return rising, (np.bincount(tie, wrong[order]) / np.bincount(tie))[tie]


def scored(p_wrong: Numbers, wrong: Flags) -> dict[str, Any]:
    """AUROC, risk-coverage, reliability and Brier score, as JSON values."""
    return {
        "rollouts": len(wrong),
        "wrong": int(wrong.sum()),
        "auroc": auroc(p_wrong, wrong),
        "brier": float(np.mean((p_wrong - wrong) ** 2)),
        "risk_coverage": risk_coverage(p_wrong, wrong),
        "reliability": reliability(p_wrong, wrong),
    }


def _logistic(x: Numbers) -> Numbers:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -40.0, 40.0))))
