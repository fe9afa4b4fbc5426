"""Named complete configurations, as functions: what a recipe returns is everything that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from worldgym.latents.conv import ConvCodecConfig
from worldgym.latents.train import CodecTrainConfig
from worldgym.training import OptimizerConfig
from worldgym.world.dit import DiTConfig
from worldgym.world.sampler import SamplerConfig
from worldgym.world.train import WorldTrainConfig


@dataclass(frozen=True)
class Recipe:
    """codec(out, device) and world(out, device) return what each is trained by."""

    codec: Callable[[Path, str], CodecTrainConfig]
    world: Callable[[Path, str], WorldTrainConfig]


def reference_codec(out: Path, device: str) -> CodecTrainConfig:
    """Ten minutes on two CPU cores: 32.5 dB on the reference tasks."""
    return CodecTrainConfig(out, ConvCodecConfig(), OptimizerConfig(steps=2200, lr=1e-3), device=device)


def reference_world(out: Path, device: str) -> WorldTrainConfig:
    """The bundled world of the reference tasks: 9.8 M parameters, 96x96, trained on two CPU cores (or one GPU)."""
    return WorldTrainConfig(
        out=out,
        network=DiTConfig(width=256, pairs=4, heads=4, action_octaves=4),
        optimizer=OptimizerConfig(steps=1800, lr=1e-3, muon_lr=4e-3, weight_decay=0.01, warmup=100, ema=0.998),
        sampler=SamplerConfig(steps=4, window=16, keep=8),
        batch=24 if device == "cpu" else 256,
        frames=16,
        device=device,
    )


RECIPES = {"reference": Recipe(reference_codec, reference_world)}
