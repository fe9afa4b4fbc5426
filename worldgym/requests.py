"""What a command asks for, apart from what carries it out: the command line reads it without loading torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainRequest:
    """Train a world from recorded episodes: codec, latents, transformer. None leaves the recipe's choice."""

    data: tuple[str, ...]
    """episode stores to train on, [NAME=]FOLDER each; NAME: the robot's"""
    held_out: tuple[Path, ...]
    """episode stores for the open-loop replay during training, one for each robot"""
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


@dataclass(frozen=True)
class PublishedImport:
    """Bring in a published WorldGym checkpoint. pixel_rope, cfg: as its authors say.   heads, size: the file does not tell."""

    file: Path
    out: Path
    """gets world/, and codec/ with --codec"""
    pixel_rope: bool = False
    """the checkpoint was trained with pixel rotary positions"""
    cfg: float = 1.0
    """guidance strength, 1 = off (3 for the mixed Open X checkpoint)"""
    heads: int = 16
    """attention heads"""
    size: int = 256
    """pixels of a frame"""
    codec: str | None = None
    """its autoencoder: a folder of diffusers weights, or a name on the hub (default: put it at OUT/codec later)"""
