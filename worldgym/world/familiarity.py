"""Which initial frames a world knows: those that its codec can reconstruct.

A codec learns the pictures that its world is trained on, and fails on others: another robot,
swapped colours, a mirror image, a cartoon, noise. The limit is measured on recorded frames that
were held out of training and lies in `familiarity.json` beside the world. A world whose limit was
never measured says nothing about any frame. A codec pretrained on general pictures reconstructs
everything well, so its limit tells little; and a known scene that is only darker stays below the
limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from worldgym.codecs.codec_protocol import Codec
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.subsample import evenly_spaced
from worldgym.errors import InputError
from worldgym.io.files import read_json, write_json
from worldgym.io.records import from_mapping, located
from worldgym.types import Frames
from worldgym.world.world_checkpoint import beside_world

FAMILIARITY_NAME = "familiarity.json"
QUANTILE = 0.999  # of held-out frames that count as known, whatever their scene
MOST = 1000  # frames looked at in a store
BATCH = 64


@dataclass(frozen=True)
class Familiarity:
    """limit: largest reconstruction error of a frame that counts as known (`errors`).   frames: how
    many it was measured on.

    codec: the one that `limit` belongs to.
    """

    codec: Codec
    limit: float
    frames: int

    def unknown(self, frames: Sequence[Frames]) -> list[bool]:
        """Of uint8 frames [H, W, 3]: whether the world does not know them."""
        return [bool(error > self.limit) for error in errors(self.codec, frames)]

    def to_json(self) -> dict[str, Any]:
        return {
            "codec": self.codec.fingerprint,
            "limit": self.limit,
            "quantile": QUANTILE,
            "frames": self.frames,
        }


@dataclass(frozen=True)
class FamiliarityFile:
    """The file in a world's folder.   codec: fingerprint of the one it was measured with."""

    codec: str
    limit: float
    frames: int
    quantile: float = QUANTILE

    def __post_init__(self) -> None:
        if not 0.0 < self.limit < np.inf:
            raise ValueError(f"the limit is {self.limit}, not above 0")


def errors(codec: Codec, frames: Sequence[Frames]) -> npt.NDArray[np.float64]:
    """Mean squared error of each reconstructed frame, over pixels and colours in 0 to 255: float64
    [N]."""
    found = []
    for start in range(0, len(frames), BATCH):
        batch = np.stack(frames[start : start + BATCH])
        with torch.inference_mode():
            drawn = codec.decode(codec.encode(torch.from_numpy(batch))).cpu().numpy()
        found.append(np.square(drawn.astype(np.float64) - batch).mean((1, 2, 3)))
    return np.concatenate(found) if found else np.zeros(0)


def measure_familiarity(codec: Codec, stores: Sequence[Path], out: Path) -> Familiarity:
    """Measures the limit on frames of held-out recordings and writes it to the file `out`.

    With several stores, for example of other robots, each has its own quantile, and the largest
    counts. InputError if a store is empty or its frames have another size than the codec's.
    """
    limits = []
    count = 0
    for folder in stores:
        frames = _held_out(EpisodeStore(folder), codec)
        limits.append(float(np.quantile(errors(codec, frames), QUANTILE)))
        count += len(frames)
    if not limits:
        raise InputError("there is no held-out recording to measure by: name an episode store")
    known = Familiarity(codec, max(limits), count)
    write_json(out, known.to_json())
    return known


def familiarity_of(world: Path, codec: Codec) -> Familiarity | None:
    """The one in a world's folder; None if there is none, or what was measured with another
    codec."""
    path = beside_world(world, FAMILIARITY_NAME)
    if path is None:
        return None
    data = read_json(path, "the familiarity of a world")
    with located(path, "measure it again with `worldgym world measure-familiarity`"):
        found = from_mapping(FamiliarityFile, data)
    return (
        Familiarity(codec, found.limit, found.frames) if found.codec == codec.fingerprint else None
    )


def _held_out(store: EpisodeStore, codec: Codec) -> Sequence[Frames]:
    """Frames spread over all episodes, the first of each among them: [N, H, W, 3]."""
    cache = frame_cache(store)
    if cache.pixels.shape[1:] != codec.frame_shape:
        height, width = cache.pixels.shape[1:3]
        raise InputError(
            f"{store.root}: frames of {width}x{height}, but the world draws "
            f"{codec.frame_shape[1]}x{codec.frame_shape[0]}; "
            "convert the recordings to that size"
        )
    each = max(1, MOST // len(cache.names))
    names = [cache.names[i] for i in evenly_spaced(len(cache.names), MOST)]
    return [
        cache.main(name)[i] for name in names for i in evenly_spaced(len(cache.main(name)), each)
    ]
