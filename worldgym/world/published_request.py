"""What an import of a published checkpoint asks for; read without loading torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worldgym.errors import InputError

Rope = Literal["standard", "pixel"]
Tables = Literal["bfloat16", "exact", "released"]
# of both: width, pairs of blocks, channels of the latents, patch, action numbers
PUBLISHED_SIZES = (1024, 16, 16, 2, 10)
PUBLISHED_HEADS, PUBLISHED_PIXELS = 16, 256  # of both, and not in the file


@dataclass(frozen=True)
class PublishedImport:
    """Import a published WorldGym checkpoint. Give here what the file does not contain; for the two
    published files it is known."""

    file: Path
    out: Path
    """gets world/, and codec/ with --codec"""
    rope: Rope | None = None
    """rotary positions that it was trained with (known for the published files)"""
    rotary_tables: Tables | None = None
    """how these are computed: bfloat16, as in training (default with --rope pixel); exact (default
    with --rope standard); released: float16, as in the authors' inference"""
    flow: bool = False
    """it comes from the authors' flow-matching trainer, not from that of v-prediction"""
    cfg: float | None = None
    """guidance strength, 1 = off (known for the published files; default: 1)"""
    heads: int = PUBLISHED_HEADS
    """attention heads"""
    size: int = PUBLISHED_PIXELS
    """pixels of a frame"""
    codec: str | None = None
    """its autoencoder: a folder of diffusers weights, or a name on the hub (default: put it at
    OUT/codec later)"""


@dataclass(frozen=True)
class Published:
    """How a file was trained and is sampled from.   tables: as in `DiTConfig.rotary_tables`."""

    rope: Rope
    tables: str
    flow: bool
    cfg: float


@dataclass(frozen=True)
class Known:
    """A file that its authors published (their runners tell them apart by name, too)."""

    rope: Rope
    cfg: float


FILES = {
    "bridge_v2_ckpt.pt": Known("pixel", 1.0),
    "mixed_openx_9robots_20frames_0p1actiondropout_580ksteps.pt": Known("standard", 3.0),
}
FORMATS = {"bfloat16": "bfloat16", "exact": "exact", "released": "float16"}


def published_settings(
    request: PublishedImport, sizes: tuple[int, int, int, int, int]
) -> Published:
    """The request combined with what is known about the file. InputError if they contradict each
    other, or neither gives the rotary positions.   sizes: as PUBLISHED_SIZES."""
    known = FILES.get(request.file.name)
    if known is not None:
        _check_known(request, known, sizes)
    rope = request.rope or (None if known is None else known.rope)
    if rope is None:
        raise InputError(
            f"{request.file}: the file does not tell which rotary positions it was trained with: "
            f"give --rope pixel (as bridge_v2_ckpt.pt) or --rope standard"
        )
    tables = request.rotary_tables or ("bfloat16" if rope == "pixel" else "exact")
    cfg = request.cfg if request.cfg is not None else known.cfg if known else 1.0
    return Published(rope, FORMATS[tables], request.flow, cfg)


def _check_known(
    request: PublishedImport, known: Known, sizes: tuple[int, int, int, int, int]
) -> None:
    name = request.file.name
    if sizes != PUBLISHED_SIZES:
        raise InputError(
            f"{request.file}: has the name of a published file, whose width, pairs of blocks, "
            f"channels, patch and action numbers are {PUBLISHED_SIZES}, and holds {sizes}: if it "
            f"is another one, give it another name"
        )
    wrong = [
        f"--{option} {asked}"
        for option, asked, right in (
            ("rope", request.rope, known.rope),
            ("cfg", request.cfg, known.cfg),
            ("flow", request.flow or None, False),
            ("heads", request.heads, PUBLISHED_HEADS),
            ("size", request.size, PUBLISHED_PIXELS),
        )
        if asked is not None and asked != right
    ]
    if wrong:
        raise InputError(
            f"{request.file}: {name} was trained with --rope {known.rope}, is sampled with --cfg "
            f"{known.cfg:g}, has {PUBLISHED_HEADS} heads and frames of {PUBLISHED_PIXELS} pixels, "
            f"and predicts v: leave out {' and '.join(wrong)}, or, if it is another file, give it "
            f"another name"
        )
