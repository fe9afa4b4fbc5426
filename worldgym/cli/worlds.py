"""Commands that make worlds and codecs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Train:
    """Train a world from recorded episodes: codec, latents, transformer. Run it again to resume."""

    data: tyro.conf.UseAppendAction[tuple[str, ...]]
    """episode store to train on, [NAME=]FOLDER; repeat it for further stores, of other robots too (NAME: the robot's)"""
    held_out: tyro.conf.UseAppendAction[tuple[Path, ...]]
    """episode store for the open-loop replay during training; repeat it, one for each robot"""
    out: Path
    """gets codec/, world/, tensorboard/, sheets/ and the state to resume from"""
    recipe: str = "reference"
    codec: Path | None = None
    """checkpoint of a codec (default: OUT/codec, trained first if absent)"""
    steps: int | None = None
    """optimiser steps (default: the recipe's)"""
    codec_steps: int | None = None
    device: str = "cpu"
    processes: int = 1
    """on a CPU: one a core is fastest"""
    start: Path | None = None
    """checkpoint of a world to go on from (same recipe, robots and codec)"""
    mix: tuple[float, ...] = ()
    """share of each store in a batch, in the order of --data (default: by their numbers of episodes)"""
    dry_run: bool = False
    """print parameters, memory, products a step and the least time the world will take, and train nothing"""

    def run(self) -> None:
        from worldgym.train import TrainRequest, expected, train_from_store

        request = TrainRequest(**{name: value for name, value in vars(self).items() if name != "dry_run"})
        print(expected(request) if self.dry_run else train_from_store(request))


@dataclass(frozen=True)
class ImportCheckpoint:
    """Bring in a published WorldGym checkpoint (.pt): nothing in the file is run, every weight is used or named."""

    file: tyro.conf.Positional[Path]
    out: Path
    """gets world/, and codec/ with --codec"""
    pixel_rope: bool = False
    """the checkpoint was trained with pixel rotary positions"""
    cfg: float = 1.0
    """guidance strength, 1 = off (3 for the mixed Open X checkpoint)"""
    codec: str | None = None
    """its autoencoder: a folder of diffusers weights, or a name on the hub (default: put it at OUT/codec later)"""
    heads: int = 16
    size: int = 256
    """pixels of a frame"""

    def run(self) -> None:
        from worldgym.world.published import PublishedImport, import_published

        print(import_published(PublishedImport(**vars(self))))


@dataclass(frozen=True)
class ImportCodec:
    """Bring in a pretrained KL autoencoder, such as Stable Diffusion 3's, as a codec (needs the extra "kl")."""

    source: tyro.conf.Positional[str]
    """a folder of diffusers weights (or one with them in vae/), or a name on the hub"""
    out: Path
    size: int = 256
    """pixels of a frame"""

    def run(self) -> None:
        from worldgym.latents.kl import import_autoencoder

        print(f"{self.out}: codec {import_autoencoder(self.source, self.out, self.size).fingerprint}")
