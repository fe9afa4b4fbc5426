"""The smallest networks that still have every part, for tests of what is around them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from worldgym.codecs.conv import ConvCodecConfig
from worldgym.policies.image_trunk import TrunkConfig
from worldgym.testing import FAKE_SPEC
from worldgym.train.codec_training import CodecTrainConfig
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.world_train_config import DirectTraining, WorldTrainConfig
from worldgym.types import ActionSpec
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig

TRUNK = TrunkConfig(width=8, blocks=1, points=2, values=1, buckets=16, language=4)
PAIR_TRUNK = replace(TRUNK, channels=6)  # of a judge, which compares two frames
SPEC = ActionSpec(
    ("x", "y", "grip"),
    "delta_pose",
    "m",
    "none",
    "1_open_0_closed",
    (-1.0, -2.0, 0.0),
    (1.0, 2.0, 1.0),
    20.0,
)


def tiny_codec(out: Path, device: str) -> CodecTrainConfig:
    """Four steps, of frames of 32 x 32."""
    model = ConvCodecConfig(32, 4, 16, 1)
    optimizer = OptimizerConfig(steps=4, warmup=1)
    return CodecTrainConfig(out, model, optimizer, batch=4, device=device)


def tiny_world(out: Path, device: str) -> WorldTrainConfig:
    """Four steps, for FAKE_SPEC's actions."""
    size = 2 * FAKE_SPEC.size + 1
    network = DiTConfig((4, 4, 4), width=32, pairs=1, heads=2, action_size=size, window=8)
    optimizer = OptimizerConfig(steps=4, muon_lr=1e-3, warmup=1)
    sampler = SamplerConfig(steps=2, window=6, keep=3)
    return WorldTrainConfig(out, network, optimizer, sampler, batch=2, frames=6, save_every=2)


def carrying_world(out: Path, device: str) -> WorldTrainConfig:
    """With convolutions and frames drawn directly, which are trained first."""
    tiny = tiny_world(out, device)
    network = replace(tiny.network, carrier_width=4, direct_width=4)
    stage = OptimizerConfig(4, warmup=1)
    return replace(tiny, network=network, carrier=stage, direct=DirectTraining(stage, stage))
