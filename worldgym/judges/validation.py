"""How a classifier judge agrees with what is known: confusion per group of tasks, and the choice of its decision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldgym.confusion import Confusion
from worldgym.episodes.frames import FrameCache
from worldgym.episodes.spread import spread
from worldgym.judges.classifier import ClassifierJudge, Decision, FrameScores
from worldgym.progress import progress

WINDOWS = (1, 2, 3)


@dataclass(frozen=True)
class Known:
    """The frame answers of an episode whose success is known."""

    group: str
    success: bool
    scores: FrameScores


def evaluate_judge(judge: ClassifierJudge, cache: FrameCache, names: Sequence[str] = ()) -> dict[str, Confusion]:
    """Confusion per group on recorded episodes (all of the cache, or `names`), under the judge's own decision."""
    return confusion_of(judge.decision, judge_store(judge, cache, names or cache.names))


def judge_store(judge: ClassifierJudge, cache: FrameCache, names: Sequence[str]) -> list[Known]:
    """The judge's frame answers for recorded episodes whose success is known."""
    infos = {info.name: info for info in cache.store if info.success is not None}
    wanted = [infos[name] for name in names if name in infos]
    known = []
    batches = [wanted[i : i + 8] for i in range(0, len(wanted), 8)]
    for some in progress(batches, len(batches), "judging", "batch"):
        scores = judge.score_frames([(cache.frames(info.name), info.instruction) for info in some])
        known += [Known(info.group, bool(info.success), score) for info, score in zip(some, scores, strict=True)]
    return known


def confusion_of(decision: Decision, known: Sequence[Known]) -> dict[str, Confusion]:
    """Per group of tasks, sorted, with the sum under "all"."""
    outcomes: dict[str, list[tuple[bool, bool | None]]] = defaultdict(list)
    for episode in known:
        outcome = episode.success, _judged(decision, episode)
        outcomes[episode.group].append(outcome)
        outcomes["all"].append(outcome)
    ordered = sorted(outcomes.items(), key=lambda item: (item[0] == "all", item[0]))
    return {group: Confusion.of(own) for group, own in ordered}


def choose_decision(known: Sequence[Known], band: float = 0.0, stride: int = 1) -> Decision:
    """The window and threshold with the best balanced agreement, mean over groups; in the middle of the best thresholds.

    band: half-width of the unscored band around the threshold, in probability; 0 = none.
    """
    best, chosen = -1.0, Decision(stride)
    for window in WINDOWS:
        grid = _thresholds([episode.scores.pooled(window)[0] for episode in known])
        values = [_mean_balance(Decision(stride, window, threshold), known) for threshold in grid]
        if max(values) > best + 1e-9:
            best = max(values)
            ties = [threshold for threshold, value in zip(grid, values, strict=True) if value > best - 1e-9]
            chosen = Decision(stride, window, ties[len(ties) // 2])
    limits = (max(chosen.threshold - band, 0.0), min(chosen.threshold + band, 1.0))
    return replace(chosen, band=limits if band > 0.0 else None)


def table(confusion: Mapping[str, Confusion]) -> str:
    """Markdown, one line a group; S = success, F = failure."""
    lines = ["| true -> judged | S -> S | F -> S | S -> F | F -> F | unscored | agreement |", "| --- " * 7 + "|"]
    for group, c in confusion.items():
        counts = f"{c.true_success} | {c.false_success} | {c.false_failure} | {c.true_failure} | {c.unscored}"
        lines.append(f"| {group} | {counts} | {100 * c.agreement:.1f} % |")
    return "\n".join(lines) + "\n"


def _judged(decision: Decision, episode: Known) -> bool | None:
    """None = unscored."""
    probability = episode.scores.pooled(decision.window)[0]
    if decision.band and decision.band[0] < probability < decision.band[1]:
        return None
    return probability >= decision.threshold


def _mean_balance(decision: Decision, known: Sequence[Known]) -> float:
    groups = {group: c for group, c in confusion_of(decision, known).items() if group != "all"}
    return float(np.mean([c.balanced for c in groups.values()]))


def _thresholds(probabilities: Sequence[float]) -> list[float]:
    """Halfway between neighbouring probabilities in log-odds, thinned to 60, kept within 0.02 and 0.98."""
    inside = np.clip(np.unique(probabilities), 0.02, 0.98)
    odds = np.unique(np.log(inside / (1.0 - inside)))
    halfway = (odds[1:] + odds[:-1]) / 2 if len(odds) > 1 else np.zeros(1)
    thinned = halfway[spread(len(halfway), 60)]
    return [float(x) for x in 1.0 / (1.0 + np.exp(-thinned))]
