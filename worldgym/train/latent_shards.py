"""Latents of a whole store, computed once and kept on disk under the codec's name for them.

    STORE/cache/latents-<codec.latents>.npy   float16 [total frames, C, h, w], memory-mapped, rows
    as in the frame cache STORE/cache/latents-<codec.latents>.json  which episode begins where

Training reads these alone: it never decodes video, and never encodes a frame twice. Where episodes
were added, only those are encoded (see `worldgym.episodes.frame_rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.format import open_memmap

from worldgym.actions.embodiment import Embodiment
from worldgym.codecs.codec_protocol import Codec
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.frame_rows import RowCache, Spans
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.progress import progress
from worldgym.types import Actions
from worldgym.world.conditioning import conditioning

BATCH = 64


@dataclass(frozen=True)
class LatentEpisodes:
    """Of one store, so of one robot. latents: float16 [total frames, C, h, w].   shown: float32
    [total frames, numbers], what is shown with each frame, the robot's own numbers alone.

    first, lengths: int [episodes], row of each episode's first frame and its number of frames.
    present: bool [episodes, V], views that it was recorded with; latents of the others are zero.
    """

    latents: npt.NDArray[np.float16]
    shown: npt.NDArray[np.float32]
    first: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    robot: Embodiment
    present: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.lengths)


def join(
    latents: npt.NDArray[np.float16],
    actions: Sequence[Actions],
    robot: Embodiment,
    size: int | None = None,
    present: npt.NDArray[np.bool_] | None = None,
) -> LatentEpisodes:
    """latents of all episodes in a row, and the actions [T, A] of each.   size: see
    `conditioning`.   present: None = of one view."""
    lengths = np.array([len(a) + 1 for a in actions], np.int64)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    bounds = robot.scaling.bounds(robot.spec.size)
    shown = np.concatenate([conditioning(robot.scaling.shown(a), size, bounds) for a in actions])
    if present is None:
        present = np.ones((len(actions), 1), np.bool_)
    return LatentEpisodes(latents, shown, first, lengths, robot, present)


def latent_episodes(
    store: EpisodeStore,
    codec: Codec,
    robot: Embodiment,
    device: str = "cpu",
    size: int | None = None,
) -> LatentEpisodes:
    """Opens the latents of a store, encoding what is missing first.   size: see `conditioning`."""
    stem = f"latents-{codec.latents}"
    channels, height, width = codec.latent_shape
    if len(store.views) > 1:
        stem += f"-{len(store.views)}-views"
    cache = RowCache(
        store,
        f"{stem}.npy",
        f"{stem}.json",
        "a latent cache",
        lambda: (np.float16, (channels, len(store.views) * height, width)),
        partial(_encode, store, codec, device),
    )
    latents, _ = cache.open()
    present = np.array([[view not in info.absent for view in store.views] for info in store])
    actions = [store.actions(info.name) for info in store]
    return join(latents, actions, robot, size, present.reshape(len(store), len(store.views)))


def _encode(
    store: EpisodeStore,
    codec: Codec,
    device: str,
    out: Path,
    spans: Spans,
    done: Callable[[str], None],
) -> None:
    """An episode at a time: its latents do not depend on what else is encoded."""
    cache = frame_cache(store)
    if cache.pixels.shape[1:] != codec.frame_shape:
        (height, width), (codec_height, codec_width) = (
            cache.pixels.shape[1:3],
            codec.frame_shape[:2],
        )
        raise InputError(
            f"{store.root}: frames of {width}x{height}, but the codec takes "
            f"{codec_width}x{codec_height}; convert them with "
            f"--size {codec_height} {codec_width}"
        )
    rows = open_memmap(out, "r+")
    height = codec.latent_shape[1]
    for name, (first, _) in progress(spans.items(), len(spans), "encoding latents", "episode"):
        for v, view in enumerate(store.views):
            if view in store.info(name).absent:
                continue
            start = first
            frames = cache.view(name, view)
            for part in np.split(frames, range(BATCH, len(frames), BATCH)):
                rows[start : start + len(part), :, v * height : (v + 1) * height] = (
                    codec.encode(torch.from_numpy(np.array(part)).to(device)).cpu().numpy()
                )
                start += len(part)
        done(name)
    rows.flush()
