"""Trains the policies of a set of the zoo (policy_zoo.py), leaving alone what is there already."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.checkpoint import read_config, verify_folder
from worldgym.io.devices import resolve_device
from worldgym.reference.policy_zoo import zoo
from worldgym.train.policy_training import PolicyTrainConfig, settings, train_policy


def train_policies(
    store: Path,
    out: Path,
    set_name: str = "development",
    only: Collection[str] = (),
    seed: int | None = None,
    device: str = "cpu",
    steps: int = 0,
) -> list[Path]:
    """Trains what is missing or was trained otherwise, and returns the folders. `only`: names of
    recipes; empty = all.   device: see `resolve_device`.   steps: instead of the recipes', 0 =
    theirs."""
    device = resolve_device(device)
    configs = zoo(set_name, store, out, seed)
    if steps:
        configs = [_shortened(config, steps) for config in configs]
    if unknown := set(only) - {config.name for config in configs}:
        raise InputError(
            f"no recipe for {', '.join(sorted(unknown))}; there are "
            f"{', '.join(config.name for config in configs)}"
        )
    wanted = [config for config in configs if not only or config.name in only]
    for config in wanted:
        if not _is_trained(config):
            train_policy(config, device)
    return [folder for config in wanted for folder in config.folders.values()]


def _shortened(config: PolicyTrainConfig, steps: int) -> PolicyTrainConfig:
    """A series is saved at its first steps."""
    save_at = tuple(range(1, len(config.save_at) + 1)) if config.save_at else ()
    count = max(steps, len(save_at))
    return replace(config, fit=replace(config.fit, steps=count, warmup=1), save_at=save_at)


def _is_trained(config: PolicyTrainConfig) -> bool:
    """Whether the folders hold intact policies of exactly this recipe."""
    return all(_holds(folder, config) for folder in config.folders.values())


def _holds(folder: Path, config: PolicyTrainConfig) -> bool:
    if not (folder / "manifest.json").exists():
        return False
    verify_folder(folder)
    return bool(
        read_config(folder)["trained"]["settings"] == json.loads(json.dumps(settings(config)))
    )
