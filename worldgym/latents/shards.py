"""Latents of a whole store, made once and kept on disk under the codec's fingerprint.

    STORE/cache/latents-<fingerprint>.npy    float16 [total frames, C, h, w], memory-mapped, rows as in the frame cache

Training reads these alone: it never decodes video, and never encodes a frame twice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.format import open_memmap

from worldgym.episodes.frames import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.files import read_json, write_json
from worldgym.latents.protocol import Codec
from worldgym.progress import progress
from worldgym.types import Actions, ActionSpec

BATCH = 64


@dataclass(frozen=True)
class LatentEpisodes:
    """latents: float16 [total frames, C, h, w].   spans: (first row, rows) an episode.   actions: [T, A] an episode."""

    latents: npt.NDArray[np.float16]
    spans: list[tuple[int, int]]
    actions: list[Actions]
    names: list[str]
    spec: ActionSpec

    def __len__(self) -> int:
        return len(self.spans)

    def rows(self, episode: int) -> npt.NDArray[np.float16]:
        """[T+1, C, h, w] of one episode, a view."""
        start, count = self.spans[episode]
        return self.latents[start : start + count]


def latent_episodes(store: EpisodeStore, codec: Codec, device: str = "cpu") -> LatentEpisodes:
    """Opens the latents of a store, encoding what is missing first."""
    folder = store.root / "cache"
    path, index = folder / f"latents-{codec.fingerprint}.npy", folder / f"latents-{codec.fingerprint}.json"
    names = [info.name for info in store]
    if not (index.exists() and read_json(index, "a latent cache").get("episodes") == names):
        _encode(store, codec, path, device)
        write_json(index, {"episodes": names})
    counts = [info.length + 1 for info in store]
    starts = np.cumsum([0, *counts])[:-1].tolist()
    actions = [_actions(store, name) for name in names]
    latents = np.load(path, mmap_mode="r")
    return LatentEpisodes(latents, list(zip(starts, counts, strict=True)), actions, names, store.spec)


def _actions(store: EpisodeStore, name: str) -> Actions:
    data = read_json(store.root / "episodes" / f"{name}.json", "an episode")
    return np.asarray(data["actions"], np.float32).reshape(-1, store.spec.size)


def _encode(store: EpisodeStore, codec: Codec, path: Path, device: str) -> None:
    pixels = frame_cache(store).pixels
    temporary = path.with_suffix(".part")
    out = open_memmap(temporary, "w+", np.float16, (len(pixels), *codec.latent_shape))
    for start in progress(range(0, len(pixels), BATCH), -(-len(pixels) // BATCH), "encoding latents", "batch"):
        frames = torch.from_numpy(np.array(pixels[start : start + BATCH])).to(device)
        out[start : start + BATCH] = codec.encode(frames).cpu().numpy()
    out.flush()
    del out
    os.replace(temporary, path)
