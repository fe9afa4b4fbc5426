"""How often world model and judge together err, from a few real rollouts replayed through both, and
success rates corrected for it.

Rollouts of policies that were recorded on the robot, successes and failures, are replayed in the
world model action by action, and the judge says what came out. Of each policy and task that gives
the share of true successes that are found, and of true failures that are called successes; tasks
and policies with few rollouts borrow from the others (shrunk_rates.py). A closed-loop rate is then
a mixture of the two, and is solved for the true rate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
from scipy.special import betainc

from worldgym.errors import InputError
from worldgym.io.records import from_mapping
from worldgym.stats.confusion import Confusion
from worldgym.stats.judge_calibration import Corrected, Judged, Verdicts, Worth, video_frames
from worldgym.stats.per_frame import Numbers
from worldgym.stats.shrunk_rates import Hits, ShrunkRates, grid
from worldgym.stats.success_rates import effective_trials

KIND = "evaluator-calibration"
RATES = np.linspace(0.0, 1.0, 201)  # the true rate, where its likelihood is worked out
POINTS = 16  # of each error rate, equally probable
DRAWS = 9_600  # of a rate over several tasks
SHARED = 12  # ways in which what is common to all tasks is taken
SMALLEST = 1e-300
TELLS = 0.5  # least probability that the true positive rate is above the false positive rate


@dataclass(frozen=True)
class CalibratedCell:
    """Recorded rollouts of one policy in one task, replayed: what was judged against what
    happened. policy: "" if the recordings do not name it.

    worth: effective numbers of these, where initial frames are repeated; None = each has its own.
    """

    policy: str
    task: str
    counts: Confusion
    worth: Worth | None = None


@dataclass(frozen=True)
class EvaluatorCalibration:
    """world, judge: their names.   cells: what was replayed."""

    world: str
    judge: str
    cells: tuple[CalibratedCell, ...]
    kind: str = field(default=KIND)

    @staticmethod
    def of(
        world: str,
        judge: str,
        outcomes: Iterable[tuple[str, str, bool, bool | None]],
        frames: Sequence[str] | None = None,
    ) -> EvaluatorCalibration:
        """outcomes: (policy, task, what happened, what was judged or None = unscored).
        frames: the initial frame of each; None = each has its own."""
        rows = list(outcomes)
        names = frames or [""] * len(rows)
        found = defaultdict[tuple[str, str], list[Judged]](list)
        for (policy, task, truth, judged), frame in zip(rows, names, strict=True):
            score = None if judged is None else float(judged)
            found[policy, task].append(Judged(truth, score, frame=frame))
        cells = [_calibrated(*key, own) for key, own in sorted(found.items())]
        return EvaluatorCalibration(world, judge, tuple(cells))

    @staticmethod
    def from_json(data: Mapping[str, object]) -> EvaluatorCalibration:
        return from_mapping(EvaluatorCalibration, data)

    @property
    def counts(self) -> Confusion:
        """Of all cells together."""
        names = vars(Confusion())
        return Confusion(**{n: sum(vars(c.counts)[n] for c in self.cells) for n in names})

    @property
    def worth(self) -> Worth | None:
        """Of all cells together; None where every rollout has its own initial frame."""
        if all(cell.worth is None for cell in self.cells):
            return None
        each = [cell.worth or _number(cell.counts) for cell in self.cells]
        return Worth(sum(one.successes for one in each), sum(one.failures for one in each))

    def without(self, policy: str) -> EvaluatorCalibration:
        """What all other policies show."""
        kept = tuple(cell for cell in self.cells if cell.policy != policy)
        return EvaluatorCalibration(self.world, self.judge, kept)

    def check(self, judge: str, world: str) -> None:
        """InputError unless it is of this judge and this world."""
        for what, own, theirs in (("judge", self.judge, judge), ("world", self.world, world)):
            if own != theirs:
                raise InputError(
                    f"the calibration is of the {what} {own}, the run's is {theirs}; replay the "
                    f"recorded rollouts with that one"
                )

    @cached_property
    def _found(self) -> ShrunkRates:
        return self._shrunk(
            lambda counts: (counts.true_success, counts.successes), lambda worth: worth.successes
        )

    @cached_property
    def _invented(self) -> ShrunkRates:
        return self._shrunk(
            lambda counts: (counts.false_success, counts.failures), lambda worth: worth.failures
        )

    def _shrunk(
        self, hits: Callable[[Confusion], tuple[int, int]], worth: Callable[[Worth], float]
    ) -> ShrunkRates:
        """hits: (successes by the judge, out of how many) of a cell; cells without any are left
        out. worth: what these count for."""
        counted = [(cell, *hits(cell.counts)) for cell in self.cells]
        units = []
        for cell, n, of in counted:
            if of:
                N = of if cell.worth is None else worth(cell.worth)
                units.append(Hits(cell.task, cell.policy, n / of * N, N))
        return ShrunkRates.of(units)

    @cached_property
    def _worlds(self) -> list[tuple[ShrunkRates, ShrunkRates]]:
        """`SHARED` equally probable values of what tasks have in common, which few videos leave
        uncertain."""
        return list(zip(self._found.taken(SHARED, 1), self._invented.taken(SHARED, 2), strict=True))

    def error_rates(self, task: str, policy: str = "") -> tuple[Numbers, Numbers]:
        """([POINTS], [POINTS]): equally probable values of the share of true successes that is
        judged so, and of true failures that is judged a success."""
        return _pair((self._found, self._invented), task, policy)

    def corrected_over(
        self, policy: str, tasks: Mapping[str, Verdicts], level: float = 0.95
    ) -> Corrected:
        """The true rate of a policy over the scored trials of some tasks, in the tasks' shares of
        them. (None, 0, 1) without trials or without recorded successes and failures, or where the
        replays do not tell success from failure."""
        known = {task: own for task, own in sorted(tasks.items()) if own[0]}
        counts = self.counts
        if not known or not counts.successes or not counts.failures:
            return Corrected(None, 0.0, 1.0)
        if not all(_tells(*self.error_rates(task, policy)) for task in known):
            return Corrected(None, 0.0, 1.0)
        shares = np.array([len(said) for said, _ in known.values()], np.float64)
        shares /= shares.sum()
        several = len(known) > 1
        sides = self._worlds if several else [(self._found, self._invented)]
        drawn = [
            np.stack([_likelihood(*_pair(pair, task, policy), *own) for task, own in known.items()])
            for pair in sides
        ]
        # a draw in which replays do not tell success from failure in some task says nothing
        parts = [likelihood for likelihood in drawn if likelihood.any(axis=1).all()]
        if len(parts) < TELLS * len(drawn):
            return Corrected(None, 0.0, 1.0)
        if not several:
            return _of_one(parts[0][0], level)
        return _of_several(parts, shares, level)

    def expected(self, policy: str, task: str, rate: float) -> tuple[float, float]:
        """Probability that a trial truly succeeds, where it was judged a (failure, success).
        rate: the policy's true rate in this task, as far as known."""
        found, invented = (float(values.mean()) for values in self.error_rates(task, policy))
        said = rate * found + (1 - rate) * invented
        lost = rate * (1 - found) + (1 - rate) * (1 - invented)
        return (
            rate * (1 - found) / lost if lost > 0 else rate,
            rate * found / said if said > 0 else rate,
        )


def _calibrated(policy: str, task: str, judged: Sequence[Judged]) -> CalibratedCell:
    counts = Confusion.of((j.truth, j.success) for j in judged)
    frames = video_frames(judged)
    own = len(set(frames)) == len(frames)
    return CalibratedCell(policy, task, counts, None if own else Worth.of(judged))


def _number(counts: Confusion) -> Worth:
    return Worth(counts.successes, counts.failures)


def _pair(
    sides: tuple[ShrunkRates, ShrunkRates], task: str, policy: str
) -> tuple[Numbers, Numbers]:
    found, invented = (_quantiles(side.posterior(task, policy)) for side in sides)
    return found, invented


def _tells(found: Numbers, invented: Numbers) -> bool:
    """Whether the true positive rate is probably above the false positive rate."""
    return bool((found[:, None] > invented[None]).mean() >= TELLS)


def _likelihood(
    found: Numbers, invented: Numbers, said: Sequence[bool], frames: Sequence[str]
) -> Numbers:
    """[RATES]: of the verdicts on a policy's trials of one task. 0 where the true positive rate is
    never above the false positive rate."""
    pairs = found[:, None] > invented[None]
    n = effective_trials(np.asarray(said, np.float64), frames)
    k = sum(said) / len(said) * n
    share = (
        RATES[:, None, None] * found[None, :, None]
        + (1 - RATES)[:, None, None] * invented[None, None]
    ).clip(1e-9, 1 - 1e-9)
    if not pairs.any():
        return np.zeros_like(RATES)
    logs = np.where(pairs, k * np.log(share) + (n - k) * np.log1p(-share), -np.inf)
    told = np.exp(logs - logs.max()).sum((1, 2))
    return np.asarray(told / told.max())


@cache
def _priors() -> Numbers:
    """[prior, RATES]: of a policy's true rates in its tasks. All are wide, and most give more
    weight to rates near 0 and 1 than between: a policy can do a task, or cannot."""
    edges = np.concatenate([[0.0], (RATES[1:] + RATES[:-1]) / 2, [1.0]])
    mean, spread = np.meshgrid((np.arange(8) + 0.5) / 8, [0.5, 1.0, 2.0, 4.0], indexing="ij")
    a = (mean * spread).reshape(-1, 1)
    b = ((1 - mean) * spread).reshape(-1, 1)
    return np.asarray(np.diff(betainc(a, b, edges), axis=1))


def _posteriors(likelihood: Numbers) -> tuple[Numbers, Numbers]:
    """likelihood [tasks, RATES] => (probability of each prior, [prior, tasks, RATES])."""
    joint = _priors()[:, None] * likelihood[None]
    evidence = np.maximum(joint.sum(-1), SMALLEST)
    logs = np.log(evidence).sum(-1)
    weights = np.exp(logs - logs.max())
    return weights / weights.sum(), joint / evidence[..., None]


def _of_one(likelihood: Numbers, level: float) -> Corrected:
    weights, rates = _posteriors(likelihood[None])
    density = weights @ rates[:, 0]
    value = float(RATES @ density)
    low, high = _highest(density, level)
    return Corrected(value, min(low, value), max(high, value))


def _of_several(parts: Sequence[Numbers], shares: Numbers, level: float) -> Corrected:
    """The mean of several tasks' rates; its interval is the shortest one over draws with a fixed
    seed."""
    rng = np.random.default_rng(0)
    values, draws = [], []
    for likelihood in parts:
        weights, rates = _posteriors(likelihood)
        values.append(float(weights @ (rates @ RATES) @ shares))
        count = DRAWS // len(parts)
        picked = np.searchsorted(np.cumsum(weights), (np.arange(count) + 0.5) / count)
        below = np.cumsum(rates, axis=-1)
        total = np.zeros(count)
        for task, share in enumerate(shares):
            even = (rng.permutation(count) + 0.5) / count
            places = (below[picked.clip(0, len(weights) - 1), task] < even[:, None]).sum(1)
            total += share * RATES[places.clip(0, len(RATES) - 1)]
        draws.append(total)
    value = min(1.0, max(0.0, float(np.mean(values))))
    low, high = _shortest(np.concatenate(draws), level)
    return Corrected(value, min(low, value), max(high, value))


def _quantiles(cells: Numbers) -> Numbers:
    """[POINTS] equally probable values of what has these probabilities on `grid()`."""
    below = np.concatenate([[0.0], np.cumsum(cells)])
    edges = np.concatenate([[0.0], (grid()[1:] + grid()[:-1]) / 2, [1.0]])
    return np.asarray(np.interp((np.arange(POINTS) + 0.5) / POINTS, below / below[-1], edges))


def _highest(density: Numbers, level: float) -> tuple[float, float]:
    """Ends of the region of highest density: it reaches 0 or 1 where the rate may be that."""
    order = np.argsort(-density, kind="stable")
    count = int(np.searchsorted(np.cumsum(density[order]), level)) + 1
    inside = RATES[order[:count]]
    return float(inside.min()), float(inside.max())


def _shortest(draws: Numbers, level: float) -> tuple[float, float]:
    """The shortest interval that holds this share of them."""
    ordered = np.sort(draws)
    inside = int(np.ceil(level * len(ordered)))
    widths = ordered[inside - 1 :] - ordered[: len(ordered) - inside + 1]
    start = int(np.argmin(np.round(widths, 9)))
    return float(ordered[start]), float(ordered[start + inside - 1])
