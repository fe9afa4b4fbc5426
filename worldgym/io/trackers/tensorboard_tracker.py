"""Scalars for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TensorBoardTracker:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()

    @staticmethod
    def started(folder: str) -> TensorBoardTracker:
        from torch.utils.tensorboard import SummaryWriter

        return TensorBoardTracker(SummaryWriter(folder))
