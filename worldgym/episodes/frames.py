"""Decoded frames of a store, kept beside it: every consumer reads raw pixels, and video is decoded once.

    STORE/cache/frames.npy   uint8 [total frames, H, W, 3], memory-mapped
    STORE/cache/index.json   which episode begins where; written last, so its presence vouches for the pixels

The cache is derived data: it may be deleted at any time and is rebuilt whenever the list of episodes changed.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.video import decode_video
from worldgym.errors import InputError
from worldgym.files import read_json, write_json
from worldgym.progress import progress
from worldgym.types import Episode, Frames

Contents = list[list[str | int]]  # [name, actions, bytes of the video] of every episode


@dataclass(frozen=True)
class FrameCache:
    """Raw pixels of every episode. `pixels`: uint8 [total frames, H, W, 3]; `spans`: (first row, rows) of each episode."""

    store: EpisodeStore
    pixels: Frames
    spans: dict[str, tuple[int, int]]

    @property
    def names(self) -> list[str]:
        """Episodes in the order of the rows."""
        return list(self.spans)

    def frames(self, name: str) -> Frames:
        """A read-only view [T+1, H, W, 3] of one episode."""
        start, count = self.spans[name]
        return self.pixels[start : start + count]

    def episode(self, name: str) -> Episode:
        """Equal to `store[name]`, without decoding the video."""
        return self.store.with_frames(name, self.frames(name))


def frame_cache(store: EpisodeStore, workers: int = 0) -> FrameCache:
    """Opens the cache of a store, decoding its videos first if needed. `workers`: threads; 0 = one a core."""
    contents: Contents = [[info.name, info.length, _video(store, info.name).stat().st_size] for info in store]
    if not contents:
        raise InputError(f"{store.root}: the store holds no episode; record some first")
    folder = store.root / "cache"
    if not _is_current(folder, contents):
        _build(store, folder, contents, workers or multiprocessing.cpu_count())
    pixels = np.asarray(np.load(folder / "frames.npy", mmap_mode="r"))
    return FrameCache(store, pixels, _spans(contents))


def _video(store: EpisodeStore, name: str) -> Path:
    return store.root / "episodes" / f"{name}.mp4"


def _spans(contents: Contents) -> dict[str, tuple[int, int]]:
    counts = [int(length) + 1 for _, length, _ in contents]
    starts = np.cumsum([0, *counts]).tolist()
    return {str(name): (start, count) for (name, _, _), start, count in zip(contents, starts[:-1], counts, strict=True)}


def _is_current(folder: Path, contents: Contents) -> bool:
    if not ((folder / "index.json").exists() and (folder / "frames.npy").exists()):
        return False
    return bool(read_json(folder / "index.json", "a frame cache").get("episodes") == contents)


def _build(store: EpisodeStore, folder: Path, contents: Contents, workers: int) -> None:
    """Decodes into a temporary file, then index away, pixels in, index in: no moment shows a wrong pair."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".frames.npy.")
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}; make the store's folder writable") from error
    os.close(handle)
    temporary = Path(name)
    try:
        _decode_all(store, temporary, contents, workers)
        (folder / "index.json").unlink(missing_ok=True)
        temporary.chmod(0o644)
        temporary.replace(folder / "frames.npy")
        write_json(folder / "index.json", {"episodes": contents})
    finally:
        temporary.unlink(missing_ok=True)


def _decode_all(store: EpisodeStore, out: Path, contents: Contents, workers: int) -> None:
    spans = _spans(contents)
    shape = decode_video(_video(store, next(iter(spans)))).shape[1:]
    open_memmap(out, "w+", np.uint8, (sum(count for _, count in spans.values()), *shape)).flush()
    jobs = [(_video(store, name), out, start, count) for name, (start, count) in spans.items()]
    if workers == 1:
        for job in progress(jobs, len(jobs), "decoding video", "episode"):
            _decode_one(job)
        return
    with ThreadPoolExecutor(workers) as pool:  # decoding leaves the interpreter's lock; a spawned pool would need a main guard
        for _ in progress(pool.map(_decode_one, jobs), len(jobs), "decoding video", "episode"):
            pass


def _decode_one(job: tuple[Path, Path, int, int]) -> None:
    video, out, start, count = job
    pixels, frames = open_memmap(out, "r+"), decode_video(video)
    if frames.shape != (count, *pixels.shape[1:]):
        wanted = (count, *pixels.shape[1:])
        raise InputError(f"{video}: frames of shape {frames.shape} where {wanted} are due; remove or re-record the episode")
    pixels[start : start + count] = frames
