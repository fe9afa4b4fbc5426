"""What an import of a published checkpoint asks for; read without loading torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PublishedImport:
    """Bring in a published WorldGym checkpoint. pixel_rope, cfg: as its authors say.   heads, size:
    the file does not tell."""

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
    """its autoencoder: a folder of diffusers weights, or a name on the hub (default: put it at
    OUT/codec later)"""
