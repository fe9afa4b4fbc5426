"""The policy zoo of the reference world: behaviour cloning of clearly different quality, chunk lengths 1, 4 and 8.

An evaluation is only as convincing as its policies are different, so besides three good ones there are policies spoiled in
one way each: too few steps, too little data, too small a network, careless teachers, half of the tasks.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from worldgym.checkpoint import read_config
from worldgym.errors import InputError
from worldgym.learning import FitConfig
from worldgym.policies.bc import BCPolicy
from worldgym.policies.bc_train import BCTrainConfig, settings, train_bc
from worldgym.vision import TrunkConfig

SMALL = TrunkConfig(width=24, blocks=1, points=8, values=2, buckets=64, language=16)


def zoo(store: Path, out: Path, seed: int = 0) -> list[BCTrainConfig]:
    """The recipe of every policy, best first; `out`/NAME is its folder."""

    def recipe(name: str, steps: int, **changes: object) -> BCTrainConfig:
        config = BCTrainConfig(store, out / name, name, fit=FitConfig(steps=steps, lr=2e-3, seed=seed))
        return replace(config, **changes)  # type: ignore[arg-type]

    return [
        recipe("bc-large", 1500),
        recipe("bc-chunk4", 1200, chunk=4),
        recipe("bc-chunk8", 1200, chunk=8),
        recipe("bc-three", 500, tasks=("drawer-open", "button-press", "window-close")),
        recipe("bc-executed", 500, imitate="executed"),
        recipe("bc-few", 400, episodes=15),
        recipe("bc-small", 700, trunk=SMALL, hidden=64),
        recipe("bc-short", 400),
    ]


def train_policies(store: Path, out: Path, only: tuple[str, ...] = (), seed: int = 0) -> list[Path]:
    """Trains what is missing or was trained otherwise, and returns the folders. `only`: names; empty = all."""
    configs = zoo(store, out, seed)
    if unknown := set(only) - {config.name for config in configs}:
        raise InputError(f"no recipe for {', '.join(sorted(unknown))}; there are {', '.join(config.name for config in configs)}")
    wanted = [config for config in configs if not only or config.name in only]
    for config in wanted:
        if not _is_trained(config):
            train_bc(config)
    return [config.out for config in wanted]


def _is_trained(config: BCTrainConfig) -> bool:
    """Whether the folder holds an intact policy of exactly this recipe."""
    if not (config.out / "manifest.json").exists():
        return False
    BCPolicy.load(config.out)
    return bool(read_config(config.out)["trained"]["settings"] == json.loads(json.dumps(settings(config))))
