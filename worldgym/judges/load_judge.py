"""Judges by path: a checkpoint folder, a description of a model behind a server (.toml), human
labels (.jsonl), or "later"."""

from __future__ import annotations

from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.bundled import bundled
from worldgym.io.devices import resolve_device
from worldgym.judges.judge_protocol import Judge

LATER = "later"


def load_judge(
    path: str | Path,
    budget_usd: float | None = None,
    finished: bool = False,
    device: str = "auto",
) -> Judge:
    """The judge at a path, "bundled", or "later". CheckpointError or InputError if it is absent,
    altered or no judge.

    budget_usd: what it may cost; InputError for a judge that costs nothing.
    finished: it is to judge videos that lie on the disk, which alone people can have labelled;
    InputError for labels otherwise.
    device: of a classifier: see `resolve_device`."""
    device = resolve_device(device)
    path = bundled(path, "judge")
    if path.suffix == ".toml":
        from worldgym.judges.vlm import VlmConfig, VlmJudge

        return VlmJudge(VlmConfig.read(path), budget_usd)
    if budget_usd is not None:
        raise InputError(f"{path}: this judge costs nothing; remove --budget")
    if str(path) == LATER:
        from worldgym.judges.human_judges import LaterJudge

        return LaterJudge()
    if path.suffix == ".jsonl":
        from worldgym.judges.human_judges import HumanJudge

        if not finished:
            raise InputError(
                f"{path}: videos that do not exist yet cannot be labelled; evaluate with --judge "
                f"{LATER}, then "
                "`worldgym judge label` the run and `worldgym judge rejudge` it with its labels"
            )
        return HumanJudge.read(path)
    from worldgym.judges.classifier import ClassifierJudge

    return ClassifierJudge.load(path, device)
