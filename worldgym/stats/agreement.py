"""How well the world model's success rates agree with the truth, over cells of policy x task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from worldgym.stats import correlation
from worldgym.stats.ceiling import NoiseCeiling, PairedCounts, noise_ceiling
from worldgym.stats.cells import CellPair, Cells, levels
from worldgym.stats.gaps import Bias, biases, gap_measures, noise_interval
from worldgym.stats.mmrv import VARIANTS, weighted_mmrv, weighted_regret
from worldgym.stats.noise_free import (
    SamplingNoise,
    Span,
    noise_free_measures,
    noise_free_span,
    noises,
)
from worldgym.stats.per_frame import Indices, Numbers
from worldgym.stats.resampling import (
    MIN_LEVELS,
    fisher_interval,
    normal_interval,
    regret_interval,
    resample,
)
from worldgym.stats.success_rates import Interval

Measure = Callable[[Numbers], Numbers]  # weights of the cells [B, N] => [B]
Around = Callable[[float, Numbers, int], Interval | None]  # point, draws, groups => interval
Ranges = Mapping[str, Mapping[str, Span | None]]  # measure => "tasks" or "policies" => low and high


@dataclass(frozen=True)
class NoiseFree:
    """Measures with the noise of few trials taken out (see noise_free.py). null = not defined."""

    pearson: float | None
    """Pearson's r"""
    slope: float | None
    """of the world model's rates over the true ones"""
    intercept: float | None
    """of the same line: the world model's rate where the true one is 0"""
    noise_share: float | None
    """share of the squared RMSE that is noise of the trials, in [0, 1]"""
    intervals: Ranges
    """95 % intervals of pearson, slope and intercept, over tasks and over policies"""


@dataclass(frozen=True)
class Agreement:
    """World model against truth, over cells of policy x task. null = not defined."""

    n: int
    """cells in which both rates are known"""
    units: Mapping[str, int]
    """number of policies, tasks and families: checkpoints of one training are one family, and what
    is drawn again, or left out, "over policies" is a family; common_tasks: those that every policy
    has"""
    pearson: float | None
    """Pearson's r of the two rates"""
    spearman: float | None
    """Spearman's rank correlation"""
    kendall: float | None
    """Kendall's tau-b"""
    policy_centred_pearson: float | None
    """r with each policy's mean removed on both sides"""
    task_centred_pearson: float | None
    """r with each task's mean removed on both sides"""
    policy_mean_only_pearson: float | None
    """r of a baseline that has only each policy's mean in the world model: what a world model must
    pass to know anything about tasks"""
    policy_mean_only_pearson_real_means: float | None
    """the same with each policy's true mean"""
    mean_abs_gap: float | None
    """mean distance of the policies' mean rates, each over its own cells, in points"""
    rmse: float | None
    """root mean square distance of the cells' rates, in points"""
    bias: Bias | None
    """world model minus truth over all cells"""
    policy_bias: tuple[Bias, ...]
    """the same by policy"""
    task_bias: tuple[Bias, ...]
    """the same by task"""
    mmrv: float | None
    """mean maximum rank violation of SIMPLER, over the policies' means on their common tasks, in
    [0, 1]; 0 is best; null where no task is common to all"""
    mmrv_variants: Mapping[str, float]
    """other definitions of it by name (see mmrv.py)"""
    top1_regret: float | None
    """true rate of the truly best policy minus that of the world model's best, in [0, 1], on their
    common tasks"""
    noise_free: Mapping[str, NoiseFree]
    """without the noise of few trials, by what is known of the initial frames: "measured", or
    "independent" and "shared" where it is unknown"""
    noise_ceiling: NoiseCeiling | None
    """r of a perfect evaluator; null where numbers of trials are unknown"""
    intervals: Ranges = field(default_factory=dict)
    """95 % intervals by measure, bootstrapped over tasks and over policies; null below five, and
    where drawing again shows no spread"""
    leave_one_out: Ranges = field(default_factory=dict)
    """smallest and largest value when one task, or one policy, is left out"""


def agreement_of_cells(
    pairs: Sequence[CellPair], least_share: float = 0.0, separate: bool = False
) -> Agreement:
    """All measures of agreement over the cells, in which both rates are known.

    least_share: of outcomes that the initial frame decides, at least (see ceiling.py).
    separate: trials of the world and true ones are known to start from different frames.
    """
    cells = Cells.of(pairs)
    once = np.ones((1, len(pairs)))
    plain = measures(cells)
    values = {name: _known(measure(once)[0]) for name, measure in plain.items()}
    spans = bootstrap(plain, cells)
    bias = _bias(pairs, values.pop("bias"), spans.pop("bias"))
    world, truth, _ = cells.policy_means(once)
    if levels(cells.policies) < 2:  # one policy has no order
        values |= {"mmrv": None, "top1_regret": None}
    ordered = values["mmrv"] is not None
    compared = cells.compared_means(once)
    variants = {name: float(weighted_mmrv(*compared, name)[0]) for name in VARIANTS if ordered}
    free = {
        name: _noise_free(cells, noise, spans["pearson"])
        for name, noise in noises(pairs, separate).items()
    }
    return Agreement(
        n=len(pairs),
        units=_units(cells),
        **values,
        policy_mean_only_pearson=_of_means(cells, world),
        policy_mean_only_pearson_real_means=_of_means(cells, truth),
        bias=bias,
        policy_bias=tuple(biases(pairs, "policies")),
        task_bias=tuple(biases(pairs, "tasks")),
        mmrv_variants=variants,
        noise_free=free,
        noise_ceiling=_ceiling(pairs, cells, least_share, separate),
        intervals=spans,
        leave_one_out=leave_one_out(plain, cells),
    )


def measures(cells: Cells) -> dict[str, Measure]:
    """Measures by the names of their fields, as functions of the cells' weights."""
    return {
        "pearson": partial(correlation.pearson, cells.world, cells.truth),
        "spearman": partial(correlation.spearman, cells.world, cells.truth),
        "kendall": partial(correlation.kendall, cells.world, cells.truth),
        "policy_centred_pearson": partial(_centred_pearson, cells, cells.policies),
        "task_centred_pearson": partial(_centred_pearson, cells, cells.tasks),
        **gap_measures(cells),
        "mmrv": lambda weights: weighted_mmrv(*cells.compared_means(weights)),
        "top1_regret": lambda weights: weighted_regret(*cells.compared_means(weights)),
    }


def bootstrap(found: Mapping[str, Measure], cells: Cells) -> dict[str, dict[str, Span | None]]:
    """95 % intervals of measures, by bootstrap over tasks and over families of policies.

    None below MIN_LEVELS groups, where the measure is not defined, or without spread.
    """
    once = np.ones((1, len(cells.world)))
    spans = dict[str, dict[str, Span | None]]()
    for axis, groups in cells.axes.items():
        drawn = resample(groups) if levels(groups) >= MIN_LEVELS else None
        for name, measure in found.items():
            point = float(measure(once)[0])
            span = None
            if drawn is not None and not np.isnan(point):
                span = AROUND.get(name, normal_interval)(point, measure(drawn), levels(groups))
            spans.setdefault(name, {})[axis] = span
    return spans


def leave_one_out(found: Mapping[str, Measure], cells: Cells) -> dict[str, dict[str, Span | None]]:
    """Smallest and largest value; None where any of them leaves a measure that is not defined."""
    without = {axis: 1 - np.eye(levels(groups))[:, groups] for axis, groups in cells.axes.items()}
    return {
        name: {axis: _extremes(measure, weights) for axis, weights in without.items()}
        for name, measure in found.items()
    }


def _extremes(measure: Measure, weights: Numbers) -> Span | None:
    if len(weights) < 2:
        return None
    values = measure(weights)
    return None if np.isnan(values).any() else (float(values.min()), float(values.max()))


AROUND: Mapping[str, Around] = {  # how an interval is made from draws, where not as of a mean
    "pearson": fisher_interval,
    "spearman": fisher_interval,
    "kendall": fisher_interval,
    "policy_centred_pearson": fisher_interval,
    "task_centred_pearson": fisher_interval,
    "mean_abs_gap": partial(normal_interval, lowest=0.0),
    "rmse": partial(normal_interval, lowest=0.0),
    "mmrv": regret_interval,
    "top1_regret": regret_interval,
}


def _centred_pearson(cells: Cells, groups: Indices, weights: Numbers) -> Numbers:
    """Pearson with each group's mean removed on both sides.

    Centred on policies: does the world model know which task is hard for which policy? A predictor
    that knows nothing but each policy's mean scores high on the plain r and has no value here.
    """
    world, truth = (
        correlation.centred(rates, weights, groups) for rates in (cells.world, cells.truth)
    )
    return correlation.pearson(world, truth, weights)


def _of_means(cells: Cells, means: Numbers) -> float | None:
    """r of a predictor that knows each policy's mean [1, P] and nothing of tasks."""
    once = np.ones((1, len(cells.truth)))
    return _known(correlation.pearson(means[0][cells.policies], cells.truth, once)[0])


def _bias(
    pairs: Sequence[CellPair], value: float | None, spans: Mapping[str, Span | None]
) -> Bias | None:
    if value is None:
        return None
    return Bias("", value, len(pairs), noise_interval(pairs), **spans)


def _noise_free(cells: Cells, noise: SamplingNoise, spans: Mapping[str, Span | None]) -> NoiseFree:
    """spans: of the plain r."""
    once = np.ones((1, len(cells.world)))
    found = noise_free_measures(cells, noise)
    values = {name: _known(measure(once)[0]) for name, measure in found.items()}
    line = bootstrap({name: found[name] for name in ("slope", "intercept")}, cells)
    r = {axis: noise_free_span(cells, noise, span) for axis, span in spans.items()}
    return NoiseFree(**values, intervals={"pearson": r, **line})


def _units(cells: Cells) -> dict[str, int]:
    return {
        "policies": levels(cells.policies),
        "families": levels(cells.families),
        "tasks": levels(cells.tasks),
        "common_tasks": len(np.unique(cells.tasks[cells.common])),
    }


def _ceiling(
    pairs: Sequence[CellPair], cells: Cells, least_share: float, separate: bool
) -> NoiseCeiling | None:
    trials = [(pair.truth_trials, pair.world_trials) for pair in pairs if pair.counted]
    if not pairs or len(trials) < len(pairs):
        return None
    truth_trials, world_trials = np.array(trials, np.float64).T
    frames, common = _common(pairs, separate)
    found = PairedCounts(
        cells.policies, cells.truth * truth_trials, truth_trials, world_trials, frames, common
    )
    return noise_ceiling(found, least_share)


def _common(pairs: Sequence[CellPair], separate: bool) -> tuple[Numbers, Numbers]:
    """Initial frames tried on both sides, and the world's trials from these, both [N]. Where they
    are unknown, as many as possible, with the world's further trials as repeats; 0 where
    `separate`."""
    found = []
    for pair in pairs:
        n, m = pair.world_trials or 0, pair.truth_trials or 0
        if pair.shared is not None:
            found.append((pair.shared.frames, pair.shared.trials))
        else:
            found.append((0, 0) if separate else (min(n, m), n))
    frames, common = np.array(found, np.float64).T
    return frames, common


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
