"""A codec from its checkpoint, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from worldgym.codecs import conv, kl
from worldgym.codecs.codec_protocol import Codec
from worldgym.io.checkpoint import load_any
from worldgym.io.devices import resolve_device


def load_codec(folder: Path, device: str = "cpu") -> Codec:
    """CheckpointError if the folder holds none.   device: see `resolve_device`."""
    device = resolve_device(device)
    loaders: Mapping[str, Callable[[Path], Codec]] = {
        conv.KIND: partial(conv.ConvCodec.load, device=device),
        kl.KIND: partial(kl.KLCodec.load, device=device),
    }
    return load_any(folder, loaders, "a codec")
