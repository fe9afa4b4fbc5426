"""How well the world model's success rates agree with the truth, over cells of policy x task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]  # [N]

MIN_CELLS = 3  # two points always lie on a line
NO_SPREAD = 1e-9  # standard deviation of rates in [0, 1] below which only rounding is left


@dataclass(frozen=True)
class CellPair:
    """One policy on one task: success rate in the world model and in truth, both in [0, 1]."""

    policy: str
    task: str
    world: float
    truth: float


@dataclass(frozen=True)
class Agreement:
    """pearson, policy_centred_pearson in [-1, 1]; mean_abs_gap in percentage points; n cells. None = not defined."""

    pearson: float | None
    policy_centred_pearson: float | None
    mean_abs_gap: float | None
    n: int


def agreement(cells: Sequence[CellPair]) -> Agreement:
    """All measures of agreement over the cells in which both rates are known."""
    world, truth = _columns(cells)
    return Agreement(pearson(world, truth), policy_centred_pearson(cells), mean_abs_gap(cells), len(cells))


def pearson(x: Numbers, y: Numbers) -> float | None:
    """Product-moment correlation: K. Pearson (1895), Proc. R. Soc. 58, 240-242.

    None below three points or where one side does not vary.
    """
    if len(x) < MIN_CELLS or x.std() < NO_SPREAD or y.std() < NO_SPREAD:
        return None
    r = np.mean((x - x.mean()) * (y - y.mean())) / (x.std() * y.std())
    return float(np.clip(r, -1.0, 1.0))


def policy_centred_pearson(cells: Sequence[CellPair]) -> float | None:
    """Pearson with each policy's mean removed on both sides: does the world model know which task is hard for whom?

    A predictor that knows nothing but each policy's mean scores high on the plain r and has no value here.
    None below three cells or where nothing varies within the policies.
    """
    world, truth = _columns(cells)
    for members in _policies(cells):
        world[members] -= world[members].mean()
        truth[members] -= truth[members].mean()
    return pearson(world, truth)


def mean_abs_gap(cells: Sequence[CellPair]) -> float | None:
    """Mean over policies of |world - truth|, each side the mean of its cells, in percentage points. None without cells."""
    world, truth = _columns(cells)
    gaps = [abs(world[members].mean() - truth[members].mean()) for members in _policies(cells)]
    return 100 * float(np.mean(gaps)) if gaps else None


def _columns(cells: Sequence[CellPair]) -> tuple[Numbers, Numbers]:
    return np.array([cell.world for cell in cells], np.float64), np.array([cell.truth for cell in cells], np.float64)


def _policies(cells: Sequence[CellPair]) -> list[npt.NDArray[np.bool_]]:
    """One mask over the cells a policy."""
    names = np.array([cell.policy for cell in cells], dtype=object)
    return [names == name for name in sorted(set(names))]
