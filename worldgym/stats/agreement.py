"""How well the world model's success rates agree with the truth, over cells of policy x task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from worldgym.stats import correlation
from worldgym.stats.ceiling import NoiseCeiling, Trials, noise_ceiling
from worldgym.stats.frames import Indices, Numbers, numbered
from worldgym.stats.mmrv import VARIANTS, mmrv
from worldgym.stats.resampling import fisher_interval, resample

MIN_LEVELS = 5  # tasks or policies; a bootstrap over fewer says nothing of those not seen

Measure = Callable[[Numbers], Numbers]  # weights of the cells [B, N] => [B]
Span = list[float]  # low, high; a list, for it goes into JSON
Ranges = Mapping[str, Mapping[str, Span | None]]  # measure => "tasks" or "policies" => low and high


@dataclass(frozen=True)
class CellPair:
    """One policy on one task: success rate in the world model and in truth, both in [0, 1], and trials where known."""

    policy: str
    task: str
    world: float
    truth: float
    world_trials: int | None = None
    truth_trials: int | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.world <= 1 and 0 <= self.truth <= 1):
            raise ValueError(f"rates lie in [0, 1], not {self.world} and {self.truth}")


@dataclass(frozen=True)
class Agreement:
    """Measures over n cells. None = not defined. Correlations lie in [-1, 1].

    policy_centred_pearson, task_centred_pearson: r with each policy's (task's) mean removed on both sides.
    policy_mean_only_pearson: r of a predictor that knows only each policy's mean in the world model; ..._real_means: only
        the real means. What a world model must pass to know anything about tasks.
    mean_abs_gap, rmse:  percentage points, between policy means and between cells.
    noise_share: part of the mean square gap of cells that a perfect evaluator would show too, at most 1.
    mmrv:        SIMPLER's, over the policy means, in [0, 1].   mmrv_variants: by name, see mmrv.py.
    noise_ceiling: needs the numbers of trials.
    intervals:   95 %, bootstrap over tasks and over policies; None below five of them.
    leave_one_out: smallest and largest value when one task, or one policy, is left out.
    """

    n: int
    pearson: float | None
    spearman: float | None
    kendall: float | None
    policy_centred_pearson: float | None
    task_centred_pearson: float | None
    policy_mean_only_pearson: float | None
    policy_mean_only_pearson_real_means: float | None
    mean_abs_gap: float | None
    rmse: float | None
    noise_share: float | None
    mmrv: float | None
    mmrv_variants: Mapping[str, float]
    noise_ceiling: NoiseCeiling | None
    intervals: Ranges = field(default_factory=dict)
    leave_one_out: Ranges = field(default_factory=dict)


@dataclass(frozen=True)
class Cells:
    """The cells as columns: each [N]."""

    world: Numbers
    truth: Numbers
    policies: Indices
    tasks: Indices

    @staticmethod
    def of(cells: Sequence[CellPair]) -> Cells:
        return Cells(
            np.array([cell.world for cell in cells], np.float64),
            np.array([cell.truth for cell in cells], np.float64),
            numbered([cell.policy for cell in cells]),
            numbered([cell.task for cell in cells]),
        )

    def policy_means(self) -> tuple[Numbers, Numbers]:
        """World and truth [P]: each the mean of the policy's cells."""
        counts = np.bincount(self.policies)
        return np.bincount(self.policies, self.world) / counts, np.bincount(self.policies, self.truth) / counts


def agreement(cells: Sequence[CellPair]) -> Agreement:
    """All measures of agreement over the cells, in which both rates are known."""
    c = Cells.of(cells)
    correlations = measures(c)
    once = np.ones((1, len(cells)))
    world_means, truth_means = c.policy_means()
    rmse = 100 * float(np.sqrt(np.mean((c.world - c.truth) ** 2))) if cells else None
    ceiling = _ceiling(cells, c)
    violations = {name: mmrv(world_means, truth_means, name) for name in VARIANTS} if len(world_means) > 1 else {}
    return Agreement(
        n=len(cells),
        **{name: _known(measure(once)[0]) for name, measure in correlations.items()},
        policy_mean_only_pearson=_known(correlation.pearson(world_means[c.policies], c.truth, once)[0]),
        policy_mean_only_pearson_real_means=_known(correlation.pearson(truth_means[c.policies], c.truth, once)[0]),
        mean_abs_gap=100 * float(np.mean(abs(world_means - truth_means))) if cells else None,
        rmse=rmse,
        noise_share=min(1.0, (ceiling.rmse / rmse) ** 2) if ceiling and rmse else None,
        mmrv=violations.get("simpler"),
        mmrv_variants=violations,
        noise_ceiling=ceiling,
        intervals=_ranges(correlations, c, bootstrap),
        leave_one_out=_ranges(correlations, c, _leave_one_out),
    )


def measures(c: Cells) -> dict[str, Measure]:
    """The correlations by the names of their fields, as functions of the cells' weights."""
    return {
        "pearson": partial(correlation.pearson, c.world, c.truth),
        "spearman": partial(correlation.spearman, c.world, c.truth),
        "kendall": partial(correlation.kendall, c.world, c.truth),
        "policy_centred_pearson": partial(_centred_pearson, c, c.policies),
        "task_centred_pearson": partial(_centred_pearson, c, c.tasks),
    }


def _centred_pearson(cells: Cells, groups: Indices, weights: Numbers) -> Numbers:
    """Pearson with each group's mean removed on both sides.

    Centred on policies: does the world model know which task is hard for whom? A predictor that knows nothing but each
    policy's mean scores high on the plain r and has no value here.
    """
    world, truth = (correlation.centred(rates, weights, groups) for rates in (cells.world, cells.truth))
    return correlation.pearson(world, truth, weights)


def _ranges(correlations: Mapping[str, Measure], cells: Cells, span: Callable[[Measure, Indices], Span | None]) -> Ranges:
    axes = {"tasks": cells.tasks, "policies": cells.policies}
    return {name: {axis: span(measure, groups) for axis, groups in axes.items()} for name, measure in correlations.items()}


def bootstrap(measure: Measure, groups: Indices) -> Span | None:
    """95 % interval over groups; None below MIN_LEVELS of them, or where the correlation is not defined."""
    levels = int(groups.max(initial=-1) + 1)
    point = float(measure(np.ones((1, len(groups))))[0])
    if levels < MIN_LEVELS or np.isnan(point):
        return None
    return list(fisher_interval(point, measure(resample(groups)), levels))


def _leave_one_out(measure: Measure, groups: Indices) -> Span | None:
    """None where any of them leaves a correlation that is not defined."""
    without = 1 - np.eye(groups.max(initial=-1) + 1)[:, groups]  # [G, N]
    if len(without) < 2:
        return None
    values = measure(without)
    return None if np.isnan(values).any() else [float(values.min()), float(values.max())]


def _ceiling(cells: Sequence[CellPair], c: Cells) -> NoiseCeiling | None:
    trials = [(cell.truth_trials, cell.world_trials) for cell in cells if cell.truth_trials and cell.world_trials]
    if not cells or len(trials) < len(cells):
        return None
    truth_trials, world_trials = np.array(trials, np.float64).T
    return noise_ceiling(Trials(c.policies, c.truth * truth_trials, truth_trials, world_trials))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
