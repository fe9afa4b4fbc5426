"""A codec from its checkpoint, whatever its kind."""

from __future__ import annotations

from pathlib import Path

from worldgym.codecs.codec_protocol import Codec
from worldgym.codecs.conv import KIND as CONV
from worldgym.codecs.conv import ConvCodec
from worldgym.codecs.kl import KIND as KL
from worldgym.codecs.kl import KLCodec
from worldgym.errors import CheckpointError
from worldgym.io.checkpoint import read_config


def load_codec(folder: Path, device: str = "cpu") -> Codec:
    """CheckpointError if the folder holds none."""
    kind = read_config(folder).get("kind")
    if kind == CONV:
        return ConvCodec.load(folder, device)
    if kind == KL:
        return KLCodec.load(folder, device)
    raise CheckpointError(
        f'{folder}: holds a "{kind}", but a codec is needed ("{CONV}" or "{KL}"); give another '
        f"folder"
    )
