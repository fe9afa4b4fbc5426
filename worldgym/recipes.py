"""Named complete configurations, as functions: what a recipe returns is everything that runs."""

from __future__ import annotations

from pathlib import Path

from worldgym.training import OptimizerConfig
from worldgym.world.dit import DiTConfig
from worldgym.world.sampler import SamplerConfig
from worldgym.world.train import WorldTrainConfig


def reference_world(out: Path, steps: int = 2800, device: str = "cpu") -> WorldTrainConfig:
    """The bundled world of the reference tasks: 9.8 M parameters, 96x96, trained on two CPU cores (or one GPU)."""
    return WorldTrainConfig(
        out=out,
        network=DiTConfig(width=256, pairs=4, heads=4),
        optimizer=OptimizerConfig(steps=steps, lr=1e-3, muon_lr=4e-3, weight_decay=0.01, warmup=100, ema=0.998),
        sampler=SamplerConfig(steps=10, window=16, keep=8),
        batch=24 if device == "cpu" else 256,
        frames=16,
        device=device,
    )


RECIPES = {"reference": reference_world}
