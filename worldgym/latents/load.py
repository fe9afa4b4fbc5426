"""A codec from its checkpoint, whatever its kind."""

from __future__ import annotations

from pathlib import Path

from worldgym.checkpoint import read_config
from worldgym.errors import CheckpointError
from worldgym.latents.conv import KIND as CONV
from worldgym.latents.conv import ConvCodec
from worldgym.latents.kl import KIND as KL
from worldgym.latents.kl import KLCodec
from worldgym.latents.protocol import Codec


def load_codec(folder: Path, device: str = "cpu") -> Codec:
    """CheckpointError if the folder holds none."""
    kind = read_config(folder).get("kind")
    if kind == CONV:
        return ConvCodec.load(folder, device)
    if kind == KL:
        return KLCodec.load(folder, device)
    raise CheckpointError(f'{folder}: holds a "{kind}", but a codec is needed ("{CONV}" or "{KL}"); give another folder')
