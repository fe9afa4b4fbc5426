"""Numbers for Weights & Biases. The key comes from `wandb login` or $WANDB_API_KEY."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class WandbTracker:
    def __init__(self, run: Any) -> None:
        self._run = run

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()

    @staticmethod
    def started(project: str) -> WandbTracker:
        """project: PROJECT, or ENTITY/PROJECT."""
        import wandb

        entity, _, name = project.rpartition("/")
        return WandbTracker(wandb.init(project=name, entity=entity or None))
