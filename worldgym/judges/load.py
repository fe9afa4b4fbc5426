"""Judges by path: a checkpoint folder, a description of a model behind a server (.toml), or human labels (.jsonl)."""

from __future__ import annotations

from pathlib import Path

from worldgym.errors import InputError
from worldgym.judges.protocol import Judge


def load_judge(path: str | Path, budget_usd: float | None = None) -> Judge:
    """The judge at a path. CheckpointError or InputError if it is absent, altered or no judge.

    budget_usd: what it may cost; InputError for a judge that costs nothing.
    """
    path = Path(path)
    if path.suffix == ".toml":
        from worldgym.judges.vlm import VlmConfig, VlmJudge

        return VlmJudge(VlmConfig.read(path), budget_usd)
    if budget_usd is not None:
        raise InputError(f"{path}: this judge costs nothing; leave out --budget")
    if path.suffix == ".jsonl":
        from worldgym.judges.labels import HumanJudge

        return HumanJudge.read(path)
    from worldgym.judges.classifier import ClassifierJudge

    return ClassifierJudge.load(path)
