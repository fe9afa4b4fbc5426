"""Commands that make worlds and codecs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from worldgym.cli.places import CodecPlace, WorldPlace
from worldgym.train.training_requests import DecoderTuneRequest, DistillRequest, TrainRequest
from worldgym.world.published_request import PublishedImport


@dataclass(frozen=True)
class Train(TrainRequest):
    """Train a world from recorded episodes: codec, latents, transformer. Run it again to resume."""

    data: tyro.conf.UseAppendAction[tuple[str, ...]]
    """episode store to train on, [NAME=]FOLDER; repeat it for further stores, of other robots too
    (NAME: the robot's)"""
    held_out: tyro.conf.UseAppendAction[tuple[Path, ...]]
    """episode store for the open-loop replay during training; repeat it, one for each robot"""
    codec: CodecPlace | None = None
    """checkpoint of a codec (default: OUT/codec, trained first if absent)"""
    start: WorldPlace | None = None
    """checkpoint of a world to go on from (same recipe, robots and codec)"""
    dry_run: bool = False
    """print parameters, memory, products a step and the least time the world will take, and train
    nothing"""

    def run(self) -> None:
        from worldgym.train.codec_and_world import expected, train_codec_and_world

        print(expected(self) if self.dry_run else train_codec_and_world(self))


@dataclass(frozen=True)
class Distill(DistillRequest):
    """Teach a world to sample in one or two network calls a frame, from its own rollouts. Run it
    again to resume."""

    world: tyro.conf.Positional[WorldPlace]
    """the teacher's checkpoint, as `worldgym train` wrote it"""
    data: tyro.conf.UseAppendAction[tuple[str, ...]]
    """episode store whose initial frames and actions are rolled out, as a rule that of the
    teacher's training; may be repeated"""
    held_out: tyro.conf.UseAppendAction[tuple[Path, ...]]
    """episode store for the open-loop replay meanwhile"""
    codec: CodecPlace | None = None
    """checkpoint of the teacher's codec (default: beside it)"""

    def run(self) -> None:
        from worldgym.train.distillation_run import distill_world

        print(distill_world(self))


@dataclass(frozen=True)
class Sharpen(DecoderTuneRequest):
    """Train the decoder of a codec on: sharper frames from the same latents. Run it again to
    resume."""

    codec: tyro.conf.Positional[CodecPlace]
    """checkpoint of a codec that `worldgym train` made"""
    data: tyro.conf.UseAppendAction[tuple[str, ...]]
    """episode store with frames to learn from; may be repeated, with recordings in other scenes
    (worldgym augment)"""
    world: WorldPlace | None = None
    """checkpoint of a world to copy beside the new codec"""

    def run(self) -> None:
        from worldgym.train.decoder_tuning import tune_decoder

        print(tune_decoder(self))


@dataclass(frozen=True)
class ImportCheckpoint(PublishedImport):
    """Bring in a published WorldGym checkpoint (.pt): nothing in the file is run, every weight is
    used or named."""

    file: tyro.conf.Positional[Path]

    def run(self) -> None:
        from worldgym.world.published_checkpoints import import_published

        print(import_published(self))


@dataclass(frozen=True)
class ImportCodec:
    """Bring in a pretrained KL autoencoder, such as Stable Diffusion 3's, as a codec (needs the
    extra "kl")."""

    source: tyro.conf.Positional[str]
    """a folder of diffusers weights (or one with them in vae/), or a name on the hub"""
    out: Path
    size: int = 256
    """pixels of a frame"""

    def run(self) -> None:
        from worldgym.codecs.kl import import_autoencoder

        print(
            f"{self.out}: codec {import_autoencoder(self.source, self.out, self.size).fingerprint}"
        )
