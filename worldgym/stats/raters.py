"""How far raters agree beyond chance: kappa and alpha, with intervals that hold for few videos too.

Both intervals are percentiles of a Bayesian bootstrap (D. B. Rubin (1981), Ann. Statist. 9,
130-134): units, or initial frames with all their units, get random weights. Beside them stand
pseudo-units of weight AGREED for agreement on the values and DISAGREED for disagreement, so that
raters who agreed on ten videos are not taken to agree on all; resampling the videos alone gave an
interval of zero width there. The weights are ours, chosen by coverage (docs/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worldgym.stats.confusion import Confusion
from worldgym.stats.per_frame import label_numbers
from worldgym.stats.success_rates import Interval

DRAWS = 2000
AGREED = 1.0  # shared by the values
DISAGREED = 0.5
Matrix = npt.NDArray[np.float64]


def cohens_kappa(
    counts: Confusion, level: float = 0.95, videos: float | None = None
) -> tuple[float | None, Interval]:
    """Agreement beyond chance over the scored videos, in [-1, 1]: J. Cohen (1960), Educ. Psychol.
    Meas. 20, 37-46.

    None, and (-1, 1), where one side has a single outcome. videos: how many independent ones these
    are worth (see success_rates.effective_trials); None = as many as they are.
    """
    cells = counts.true_success, counts.false_success, counts.false_failure, counts.true_failure
    table = np.array(cells, float)
    n = table.sum()
    if n == 0 or math.isnan(point := float(_kappa(table))):
        return None, (-1.0, 1.0)
    added = np.array([AGREED, DISAGREED, DISAGREED, AGREED]) / 2
    known = table * ((n if videos is None else videos) / n)
    draws = _kappa(np.random.default_rng(0).standard_gamma(known + added, (DRAWS, 4)))
    return point, _percentiles(point, draws, level)


def krippendorff_alpha(
    ratings: Sequence[Sequence[float | None]],
    scale: str = "nominal",
    level: float = 0.95,
    frames: Sequence[str] | None = None,
) -> tuple[float | None, Interval]:
    """Agreement of any number of raters, some of whom may have left out some units: K. Krippendorff
    (2011), "Computing Krippendorff's alpha-reliability". One row a unit, one entry a rater, None =
    no rating.

    scale: "nominal", "ordinal" or "interval".   frames: the units' initial frames; None = each has
    its own. None, and (-1, 1), where nothing varies or no unit has two ratings.
    """
    # neighbours in the last bits are one value
    given = [[round(rating, 9) for rating in unit if rating is not None] for unit in ratings]
    values = sorted({rating for unit in given for rating in unit})
    rows = [[unit.count(value) for value in values] for unit in given]
    tallies = np.array(rows, float).reshape(len(ratings), len(values))
    rated = tallies.sum(1) >= 2
    tallies = tallies[rated]
    pairs = tallies[:, :, None] * (tallies[:, None, :] - np.eye(len(values)))
    pairs /= (tallies.sum(1) - 1)[:, None, None]  # [units, values, values], coincidences of each
    point = float(_alpha(pairs.sum(0), values, scale))
    if math.isnan(point):
        return None, (-1.0, 1.0)
    names = [str(i) for i in range(len(ratings))] if frames is None else frames
    groups = label_numbers([name for name, kept in zip(names, rated, strict=True) if kept])
    return point, _percentiles(point, _alpha(_drawn(pairs, groups), values, scale), level)


def _drawn(pairs: Matrix, groups: npt.NDArray[np.intp]) -> Matrix:
    """Coincidences [DRAWS, values, values] of units [units, values, values] with random weights,
    pseudo-units beside them, each as large as a group."""
    rng = np.random.default_rng(0)
    units, V, _ = pairs.shape
    G = int(groups.max()) + 1
    total = pairs.sum(0)
    size = total.sum() / G  # ratings of a group
    shares = total.sum(-1) / total.sum()
    apart = np.outer(shares, shares) * (1 - np.eye(V))
    agreed = rng.standard_gamma(AGREED / V, (DRAWS, V))[:, :, None] * np.eye(V)
    disagreed = rng.standard_gamma(DISAGREED, (DRAWS, 1, 1)) * (apart / apart.sum())
    weights = rng.standard_exponential((DRAWS, G))
    own = (weights[:, groups] @ pairs.reshape(units, V * V)).reshape(-1, V, V)
    drawn = own + size * (agreed + disagreed)
    return np.asarray(drawn * (total.sum() / drawn.sum((-1, -2), keepdims=True)))


def _percentiles(point: float, draws: Matrix, level: float) -> Interval:
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return min(point, float(low)), max(point, float(high))


def _kappa(tables: Matrix) -> Matrix:
    """[..., 4] counts => kappa [...]; nan where chance agreement is certain."""
    both, judged, true, neither = np.moveaxis(tables / tables.sum(-1, keepdims=True), -1, 0)
    chance = (both + judged) * (both + true) + (neither + judged) * (neither + true)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa: Matrix = np.where(
            chance < 1 - 1e-12, (both + neither - chance) / (1 - chance), np.nan
        )
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
