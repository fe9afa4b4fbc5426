"""Latents of a whole store, made once and kept on disk under the codec's fingerprint.

    STORE/cache/latents-<fingerprint>.npy    float16 [total frames, C, h, w], memory-mapped, rows as in the frame cache

Training reads these alone: it never decodes video, and never encodes a frame twice.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.format import open_memmap

from worldgym.actions.embodiment import Embodiment
from worldgym.episodes.frames import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.windows import conditioning
from worldgym.errors import InputError
from worldgym.files import read_json, write_json
from worldgym.latents.protocol import Codec
from worldgym.progress import progress
from worldgym.types import Actions

BATCH = 64


@dataclass(frozen=True)
class LatentEpisodes:
    """Of one store, so of one robot. latents: float16 [total frames, C, h, w].   shown: float32 [total frames, numbers], what is
    shown with each frame, the robot's own numbers alone.

    first, lengths: int [episodes], row of each episode's first frame and its number of frames.
    """

    latents: npt.NDArray[np.float16]
    shown: npt.NDArray[np.float32]
    first: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    robot: Embodiment

    def __len__(self) -> int:
        return len(self.lengths)


def join(
    latents: npt.NDArray[np.float16], actions: Sequence[Actions], robot: Embodiment, size: int | None = None
) -> LatentEpisodes:
    """latents of all episodes in a row, and the actions [T, A] of each.   size: see `conditioning`."""
    lengths = np.array([len(a) + 1 for a in actions], np.int64)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    shown = np.concatenate([conditioning(robot.scaling.shown(a), size) for a in actions])
    return LatentEpisodes(latents, shown, first, lengths, robot)


def latent_episodes(
    store: EpisodeStore, codec: Codec, robot: Embodiment, device: str = "cpu", size: int | None = None
) -> LatentEpisodes:
    """Opens the latents of a store, encoding what is missing first.   size: see `conditioning`."""
    folder = store.root / "cache"
    path, index = folder / f"latents-{codec.fingerprint}.npy", folder / f"latents-{codec.fingerprint}.json"
    names = [info.name for info in store]
    if not (index.exists() and read_json(index, "a latent cache").get("episodes") == names):
        _encode(store, codec, path, device)
        write_json(index, {"episodes": names})
    return join(np.load(path, mmap_mode="r"), [store.actions(name) for name in names], robot, size)


def _encode(store: EpisodeStore, codec: Codec, path: Path, device: str) -> None:
    pixels = frame_cache(store).pixels
    if pixels.shape[1:] != codec.frame_shape:
        (height, width), (codec_height, codec_width) = pixels.shape[1:3], codec.frame_shape[:2]
        raise InputError(
            f"{store.root}: frames of {width}x{height}, but the codec takes {codec_width}x{codec_height}; convert them with "
            f"--size {codec_height} {codec_width}"
        )
    temporary = path.with_suffix(".part")
    out = open_memmap(temporary, "w+", np.float16, (len(pixels), *codec.latent_shape))
    for start in progress(range(0, len(pixels), BATCH), -(-len(pixels) // BATCH), "encoding latents", "batch"):
        frames = torch.from_numpy(np.array(pixels[start : start + BATCH])).to(device)
        out[start : start + BATCH] = codec.encode(frames).cpu().numpy()
    out.flush()
    del out
    os.replace(temporary, path)
