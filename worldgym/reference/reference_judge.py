"""The recipe of the reference world's judge."""

from __future__ import annotations

from pathlib import Path

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
