"""Decoded frames of a store, kept with it: every user reads raw pixels, and video is decoded once.

    STORE/cache/frames.npy   uint8 [total frames, H, W, 3] of the main view, memory-mapped
    STORE/cache/index.json   which episode begins where
    STORE/cache/frames-VIEW.npy, index-VIEW.json   the same of a further view, zeros where an
                             episode was recorded without it

The cache is derived data (see `worldgym.episodes.frame_rows`): where the list of episodes changed,
only new videos are decoded, and a store that cannot be written has it in the user's cache folder.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from worldgym.episodes.frame_rows import RowCache, Spans
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.progress import progress
from worldgym.io.video import decode_video
from worldgym.types import Episode, Frames


@dataclass(frozen=True)
class FrameCache:
    """Raw pixels of every episode. `pixels`: uint8 [total frames, H, W, 3] of the main view;
    `spans`: (first row, rows) of each episode; `others`: the pixels of each further view."""

    store: EpisodeStore
    pixels: Frames
    spans: Spans
    others: Mapping[str, Frames] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Episodes in the order of the rows."""
        return list(self.spans)

    def main(self, name: str) -> Frames:
        """The main view of one episode, [T+1, H, W, 3], read-only."""
        start, count = self.spans[name]
        return self.pixels[start : start + count]

    def view(self, name: str, view: str) -> Frames:
        """One view of one episode, [T+1, H, W, 3], read-only."""
        start, count = self.spans[name]
        return self.others.get(view, self.pixels)[start : start + count]

    def of_views(self, views: Sequence[str] = ()) -> tuple[Frames, ...]:
        """Pixels of all episodes, [total frames, H, W, 3] a view; () = of the main view. InputError
        for a view that the store or one of its episodes lacks."""
        if missing := [view for view in views if view not in self.store.views]:
            raise InputError(
                f"{self.store.root}: no view {missing[0]}, only {', '.join(self.store.views)}"
            )
        for info in self.store if views else ():
            if lacked := set(views) & set(info.absent):
                raise InputError(
                    f"{self.store.root}: episode {info.name} was recorded without the view "
                    f"{min(lacked)}; leave the view out or take a store that has it"
                )
        return tuple(self.others.get(view, self.pixels) for view in views) or (self.pixels,)

    def frames(self, name: str) -> Frames:
        """All views of one episode, [T+1, V, H, W, 3]; of one view read-only, without a copy."""
        if not self.others:
            return self.main(name)[:, None]
        start, count = self.spans[name]
        rows = [pixels[start : start + count] for pixels in (self.pixels, *self.others.values())]
        return np.stack(rows, axis=1)

    def episode(self, name: str) -> Episode:
        """Equal to `store[name]`, without decoding the video."""
        return self.store.with_frames(name, self.frames(name))


def frame_cache(store: EpisodeStore, workers: int = 0) -> FrameCache:
    """Opens the cache of a store, decoding its videos first if needed. `workers`: threads; 0 = one
    per core."""
    workers = workers or multiprocessing.cpu_count()
    main, spans = _view_rows(store, store.views[0], workers, "")
    others = {view: _view_rows(store, view, workers, f"-{view}")[0] for view in store.views[1:]}
    return FrameCache(store, main, spans, others)


def _view_rows(store: EpisodeStore, view: str, workers: int, ending: str) -> tuple[Frames, Spans]:
    """uint8 [total frames, H, W, 3] of a view, and where each episode's rows lie."""
    cache = RowCache(
        store,
        f"frames{ending}.npy",
        f"index{ending}.json",
        "a frame cache",
        lambda: (np.uint8, decode_video(store.video(store.infos[0].name)).shape[1:]),
        partial(_decode, store, workers, view),
    )
    return cache.open()


def _decode(
    store: EpisodeStore,
    workers: int,
    view: str,
    out: Path,
    spans: Spans,
    done: Callable[[str], None],
) -> None:
    jobs = [
        (name, store.video(name, view), out, start, count)
        for name, (start, count) in spans.items()
        if view not in store.info(name).absent
    ]
    for name in spans:
        if view in store.info(name).absent:
            done(name)  # its rows stay zero
    # decoding leaves the interpreter's lock; a spawned pool would need a main guard
    with ThreadPoolExecutor(workers) as pool:
        decoded = pool.map(_decode_one, jobs)
        for name in progress(decoded, len(jobs), "decoding video", "episode"):
            done(name)


def _decode_one(job: tuple[str, Path, Path, int, int]) -> str:
    """=> name of the episode."""
    name, video, out, start, count = job
    pixels = open_memmap(out, "r+")
    frames = decode_video(video)
    if frames.shape != (count, *pixels.shape[1:]):
        wanted = (count, *pixels.shape[1:])
        raise InputError(
            f"{video}: frames of shape {frames.shape} where {wanted} are due; remove or re-record "
            f"the episode"
        )
    pixels[start : start + count] = frames
    return name
