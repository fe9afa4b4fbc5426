"""The reference world's judge: its recipe, and its agreement with the simulator on recorded
episodes."""

from __future__ import annotations

from pathlib import Path

from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.judges.classifier import ClassifierJudge
from worldgym.judges.classifier_agreement import evaluate_judge
from worldgym.stats.confusion import Confusion
from worldgym.train.judge_training import JudgeTrainConfig
from worldgym.train.optimizer import FitConfig


def recipe(
    store: Path,
    out: Path,
    drawn: str = "",
    seed: int = 0,
    start: Path | None = None,
    steps: int = 8000,
) -> JudgeTrainConfig:
    """drawn: how the names of generated episodes end.   start: a judge to learn on from. About
    forty minutes on two cores."""
    fit = FitConfig(steps=steps, batch=16, lr=1.5e-3, seed=seed)
    return JudgeTrainConfig(store, out, drawn=drawn, start=start, fit=fit)


def judge_agreement(folder: Path, store: Path) -> dict[str, Confusion]:
    """Agreement on the episodes of another store, e.g. of seeds never trained on; per task, with
    the sum under "all"."""
    return evaluate_judge(ClassifierJudge.load(folder), frame_cache(EpisodeStore(store)))
