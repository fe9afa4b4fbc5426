"""Pictures as they are sent to a model."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image

from worldgym.types import Frames


@dataclass(frozen=True)
class SentPicture:
    """A frame as it is sent. digest: SHA-256 of its pixels, which unlike the PNG's bytes no library
    version changes."""

    label: str
    png: bytes
    digest: str


def picture(frame: Frames, size: int | None, label: str) -> SentPicture:
    """frame: uint8 [H, W, 3] RGB, its longer side scaled to `size` pixels, or left as it is for
    None."""
    image = Image.fromarray(frame)
    if size is not None:
        scale = size / max(image.size)
        image = image.resize(
            (max(1, round(image.width * scale)), max(1, round(image.height * scale))),
            Image.Resampling.BICUBIC,
        )
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    digest = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()
    return SentPicture(label, buffer.getvalue(), digest)
