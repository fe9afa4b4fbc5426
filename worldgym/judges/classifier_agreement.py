"""How a classifier judge agrees with what is known: confusion per group of tasks, and the choice of
its decision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worldgym.episodes.frame_cache import FrameCache
from worldgym.episodes.subsample import evenly_spaced
from worldgym.io.progress import progress
from worldgym.judges.classifier import ClassifierJudge, DecisionRule
from worldgym.policies.image_trunk import in_channels
from worldgym.stats.confusion import Confusion
from worldgym.types import Frames


@dataclass(frozen=True)
class KnownProbability:
    """The judge's probability of success for an episode whose success is known."""

    group: str
    success: bool
    probability: float


def judge_store(
    judge: ClassifierJudge, cache: FrameCache, names: Sequence[str]
) -> list[KnownProbability]:
    """The judge's answers for recorded episodes whose success is known."""
    infos = {info.name: info for info in cache.store if info.success is not None}
    wanted = [infos[name] for name in names if name in infos]
    pixels = cache.of_views(judge.views)

    def seen(name: str) -> Frames:
        first, count = cache.spans[name]
        return in_channels([rows[first : first + count] for rows in pixels])

    known = []
    batches = [wanted[i : i + 8] for i in range(0, len(wanted), 8)]
    for some in progress(batches, len(batches), "judging", "batch"):
        scores = judge.score([(seen(info.name), info.instruction) for info in some])
        known += [
            KnownProbability(info.group, bool(info.success), score.probability)
            for info, score in zip(some, scores, strict=True)
        ]
    return known


def confusion_of(decision: DecisionRule, known: Sequence[KnownProbability]) -> dict[str, Confusion]:
    """Per group of tasks, sorted, with the sum under "all"."""
    outcomes: dict[str, list[tuple[bool, bool | None]]] = defaultdict(list)
    for episode in known:
        outcome = episode.success, decision.outcome(episode.probability)
        outcomes[episode.group].append(outcome)
        outcomes["all"].append(outcome)
    ordered = sorted(outcomes.items(), key=lambda item: (item[0] == "all", item[0]))
    return {group: Confusion.of(own) for group, own in ordered}


def choose_decision(known: Sequence[KnownProbability], band: float = 0.0) -> DecisionRule:
    """The threshold with the best balanced agreement, mean over groups; in the middle of the best
    ones.

    band: half-width of the unscored band around the threshold, in probability; 0 = none.
    """
    grid = _thresholds([episode.probability for episode in known])
    values = [_mean_balance(DecisionRule(threshold), known) for threshold in grid]
    return _decision(_middle_of_best(grid, values), band)


def fit_rates(known: Sequence[KnownProbability], band: float = 0.0) -> DecisionRule:
    """The threshold whose rates lie nearest to the true ones, least squares over groups; in the
    middle of the best ones.

    For groups whose rates an evaluation reports: tasks, or cells of policy and task. Where a judge
    errs, as many failures pass for successes as successes for failures then; the best agreement may
    lie where one error is the far more common."""
    grid = _thresholds([episode.probability for episode in known])
    groups = sorted({episode.group for episode in known})
    member = np.array([[episode.group == group for episode in known] for group in groups], float)
    member /= member.sum(1, keepdims=True)
    probability, success = (
        np.array([getattr(episode, name) for episode in known])
        for name in ("probability", "success")
    )
    true = member @ success
    values = [-np.square(member @ (probability >= threshold) - true).mean() for threshold in grid]
    return _decision(_middle_of_best(grid, values), band)


def table(confusion: Mapping[str, Confusion]) -> str:
    """Markdown, one line per group; S = success, F = failure."""
    lines = [
        "| true -> judged | S -> S | F -> S | S -> F | F -> F | unscored | agreement |",
        "| --- " * 7 + "|",
    ]
    for group, c in confusion.items():
        counts = (
            f"{c.true_success} | {c.false_success} | {c.false_failure} | {c.true_failure} | "
            f"{c.unscored}"
        )
        lines.append(f"| {group} | {counts} | {100 * c.agreement:.1f} % |")
    return "\n".join(lines) + "\n"


def _decision(threshold: float, band: float) -> DecisionRule:
    return DecisionRule(
        threshold, (max(threshold - band, 0.0), min(threshold + band, 1.0)) if band > 0.0 else None
    )


def _mean_balance(decision: DecisionRule, known: Sequence[KnownProbability]) -> float:
    groups = {group: c for group, c in confusion_of(decision, known).items() if group != "all"}
    return float(np.mean([c.balanced for c in groups.values()]))


def _middle_of_best(grid: Sequence[float], values: Sequence[float]) -> float:
    best = max(values)
    ties = [threshold for threshold, value in zip(grid, values, strict=True) if value > best - 1e-9]
    return ties[len(ties) // 2]


def _thresholds(probabilities: Sequence[float]) -> list[float]:
    """Halfway between neighbouring probabilities in log-odds, thinned to 60, kept within 0.02 and
    0.98."""
    inside = np.clip(np.unique(probabilities), 0.02, 0.98)
    odds = np.unique(np.log(inside / (1.0 - inside)))
    halfway = (odds[1:] + odds[:-1]) / 2 if len(odds) > 1 else np.zeros(1)
    thinned = halfway[evenly_spaced(len(halfway), 60)]
    return [float(x) for x in 1.0 / (1.0 + np.exp(-thinned))]
