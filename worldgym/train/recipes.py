"""Named complete configurations, as functions: what a recipe returns is everything that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from worldgym.codecs.conv import ConvCodecConfig
from worldgym.io.bundled import BUNDLE
from worldgym.train.codec_training import CodecTrainConfig
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.world_train_config import DirectTraining, WorldTrainConfig
from worldgym.world.network_config import DiTConfig, published_network
from worldgym.world.sampler import SAMPLERS, SamplerConfig


@dataclass(frozen=True)
class Recipe:
    """codec(out, device) and world(out, device) return what each is trained by; codec None: a
    pretrained one must be given."""

    codec: Callable[[Path, str], CodecTrainConfig] | None
    world: Callable[[Path, str], WorldTrainConfig]


def reference_codec(out: Path, device: str) -> CodecTrainConfig:
    """A quarter of an hour on two CPU cores. The bundled one was trained with 8, then 16, then 24
    channels: docs/reference-world.md."""
    optimizer = OptimizerConfig(steps=2200, lr=1e-3)
    return CodecTrainConfig(
        out, ConvCodecConfig(channels=24), optimizer, device=device, edge_weight=0.5, contrast=0.7
    )


def reference_world(out: Path, device: str) -> WorldTrainConfig:
    """The world of the reference tasks: 9.9 M parameters, 96x96; two hours on two CPU cores (or
    minutes on one GPU).

    The bundled weights were trained on more clips, in stages with different settings:
    docs/reference-world.md."""
    return WorldTrainConfig(
        out=out,
        network=DiTConfig(latent_shape=(24, 12, 12), width=256, pairs=4, heads=4, action_octaves=4),
        optimizer=OptimizerConfig(
            steps=5700, lr=1e-3, muon_lr=4e-3, weight_decay=0.01, warmup=100, ema=0.998
        ),
        sampler=SamplerConfig(steps=4, window=16, keep=8, rule="rolling"),
        batch=24 if device == "cpu" else 256,
        frames=16,
        device=device,
    )


def panda_codec(out: Path, device: str) -> CodecTrainConfig:
    """Of both views of robosuite's Panda, 96x96, from the bundled one."""
    like = reference_codec(out, device)
    return replace(like, optimizer=OptimizerConfig(steps=600, lr=5e-4), start=BUNDLE / "codec")


def panda_world(out: Path, device: str) -> WorldTrainConfig:
    """A small world of two views at 96x96: 16 tokens each, which attend to each other in every
    spatial block. It continues from the bundled world, whose blocks know already how an arm moves
    by a sum of actions. Clips are short and patches large, so that a small training sees more of
    them; the initial frame is shown in addition. Levels are noisier than for a fixed camera: what
    the wrist sees moves as a whole, and less noise would show where it moved to. The convolutions
    that carry it on are trained first, and before them what draws frames directly."""
    like = reference_world(out, device)
    return replace(
        like,
        network=replace(like.network, patch=3, carrier_width=64, direct_width=96),
        optimizer=replace(like.optimizer, steps=3200, warmup=50, ema=0.995),
        sampler=replace(like.sampler, window=8, keep=4),
        schedule_settings={"near_clean": 0.4, "mean": 2.5, "sd": 1.5},
        batch=16 if device == "cpu" else 256,
        frames=8,
        save_every=800,
        start=BUNDLE / "world",
        carrier=OptimizerConfig(steps=1000, lr=4e-3, warmup=50, ema=0.99, decay=1.0),
        direct=DirectTraining(
            motion=OptimizerConfig(steps=2000, lr=1e-3, warmup=100, ema=0.99, decay=1.0),
            frames=OptimizerConfig(steps=1600, lr=1e-3, warmup=50, ema=0.99, decay=1.0),
        ),
    )


def bridge_codec(out: Path, device: str) -> CodecTrainConfig:
    """Four minutes on two CPU cores, at 128x128."""
    return CodecTrainConfig(
        out,
        ConvCodecConfig(size=128, width=64),
        OptimizerConfig(steps=1500, lr=1e-3),
        batch=16,
        device=device,
    )


def bridge_world(out: Path, device: str) -> WorldTrainConfig:
    """A world for a handful of real episodes: 5.5 M parameters, 128x128, nine minutes on two CPU
    cores.

    It memorises these episodes, and only shows that real data pass through all steps (`make
    bridge-sample`)."""
    return WorldTrainConfig(
        out=out,
        network=DiTConfig(latent_shape=(8, 16, 16), width=192, pairs=4, heads=3, action_octaves=2),
        optimizer=OptimizerConfig(
            steps=600, lr=1e-3, muon_lr=4e-3, weight_decay=0.01, warmup=50, ema=0.995
        ),
        sampler=SamplerConfig(steps=4, window=16, keep=8, rule="rolling"),
        batch=12,
        frames=16,
        save_every=200,
        device=device,
        normalize=True,
    )


def paper_world(scale: int, out: Path, device: str) -> WorldTrainConfig:
    """The published settings (arXiv 2506.00613, released code): `scale` heads of 64 and as many
    pairs of blocks; 16 is theirs.

    Frames of 256 x 256 through an autoencoder of 16 channels and downsampling 8; actions of up to
    10 numbers. One process per device trains on 4 clips. They use a constant learning rate; here it
    warms up, and falls at the end of the run."""
    return WorldTrainConfig(
        out=out,
        network=published_network(scale),
        optimizer=OptimizerConfig(
            steps=500_000, lr=8e-5, weight_decay=0.02, warmup=1000, ema=0.999
        ),
        sampler=SAMPLERS["paper"],
        schedule="sigmoid_v",
        batch=4,
        frames=20,
        motion_weight=0.0,
        save_every=5000,
        device=device,
        conditioning="action",
        checkpointing=True,
    )


RECIPES = {
    "reference": Recipe(reference_codec, reference_world),
    "panda": Recipe(panda_codec, panda_world),
    "bridge_sample": Recipe(bridge_codec, bridge_world),
    "paper_608m": Recipe(None, partial(paper_world, 16)),
    "paper_257m": Recipe(None, partial(paper_world, 12)),
    "paper_109m": Recipe(None, partial(paper_world, 9)),
    "paper_33m": Recipe(None, partial(paper_world, 6)),
}
