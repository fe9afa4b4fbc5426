"""Judges by folder."""

from __future__ import annotations

from pathlib import Path

from worldgym.judges.classifier import ClassifierJudge
from worldgym.judges.protocol import Judge


def load_judge(folder: str | Path) -> Judge:
    """The judge in a checkpoint folder. CheckpointError if it is absent, altered or no judge."""
    return ClassifierJudge.load(Path(folder))
