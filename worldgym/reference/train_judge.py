"""The reference world's judge: its recipe, and its agreement with the simulator on recorded episodes."""

from __future__ import annotations

from pathlib import Path

from worldgym.episodes.frames import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.judges.classifier import ClassifierJudge
from worldgym.judges.classifier_train import JudgeTrainConfig, train_judge
from worldgym.judges.validation import Confusion, evaluate_judge
from worldgym.learning import FitConfig


def recipe(store: Path, out: Path, seed: int = 0) -> JudgeTrainConfig:
    """Seeds 360-399 of a recording of 400 choose the decision; about six minutes on one core."""
    return JudgeTrainConfig(store, out, validation_from=360, fit=FitConfig(steps=1300, lr=2e-3, seed=seed))


def train_reference_judge(store: Path, out: Path, seed: int = 0) -> ClassifierJudge:
    """Trains, saves to `out`, and returns the judge."""
    return train_judge(recipe(store, out, seed))


def check_judge(folder: Path, store: Path) -> dict[str, Confusion]:
    """Agreement on the episodes of another store, e.g. of seeds never trained on; per task, with the sum under "all"."""
    return evaluate_judge(ClassifierJudge.load(folder), frame_cache(EpisodeStore(store)))
