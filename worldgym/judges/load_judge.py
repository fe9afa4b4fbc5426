"""Judges by path: a checkpoint folder, a description of a model behind a server (.toml), human
labels (.jsonl), "later", or MODULE:FACTORY of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from worldgym.errors import InputError, did_you_mean
from worldgym.io.bundled import NAME, bundled
from worldgym.io.devices import resolve_device
from worldgym.io.named_source import NamedSource
from worldgym.io.user_factory import check_no_module, is_factory, made_as
from worldgym.judges.judge_protocol import Judge

LATER = "later"
JUDGE_VALUES = {"name": str, "concurrency": int, "settings": Mapping}


def load_judge(
    path: str | Path,
    budget_usd: float | None = None,
    finished: bool = False,
    device: str = "auto",
) -> Judge:
    """The judge at a path, "bundled", "later", or MODULE:FACTORY. CheckpointError or InputError if
    it is absent, altered or no judge.

    budget_usd: what it may cost; InputError for a judge that costs nothing.
    finished: it is to judge videos that lie on the disk, which alone people can have labelled;
    InputError for labels otherwise.
    device: of a classifier: see `resolve_device`."""
    device = resolve_device(device)
    path = bundled(path, "judge")
    own = is_factory(str(path))  # whose options may end like a file
    if path.suffix == ".toml" and not own:
        from worldgym.judges.vlm import VlmConfig, VlmJudge

        return VlmJudge(VlmConfig.read(path), budget_usd)
    if budget_usd is not None:
        raise InputError(f"{path}: this judge costs nothing; remove --budget")
    if str(path) == LATER:
        from worldgym.judges.human_judges import LaterJudge

        return LaterJudge()
    if own:
        source = NamedSource.parse(str(path), "judge")
        judge: Judge = made_as(source, JUDGE_VALUES, ("__call__",), "docs/judges.md")
        return judge
    if path.suffix == ".jsonl":
        from worldgym.judges.human_judges import HumanJudge

        if not finished:
            raise InputError(
                f"{path}: videos that do not exist yet cannot be labelled; evaluate with --judge "
                f"{LATER}, then "
                "`worldgym judge label` the run and `worldgym judge rejudge` it with its labels"
            )
        return HumanJudge.read(path)
    if not path.is_dir():
        check_no_module("judge", str(path))
        raise InputError(
            f'no judge "{path}"{did_you_mean(str(path), [NAME, LATER])}: give the folder of a '
            f'checkpoint, "{NAME}", a judge.toml (a model behind a server), labels.jsonl (of '
            f'people), "{LATER}", or MODULE:FACTORY of your own'
        )
    from worldgym.judges.classifier import ClassifierJudge

    return ClassifierJudge.load(path, device)
