"""Recorded episodes as a world sees them: their actions played through it, with the simulator's
labels.

A judge that also learns from these knows how the world draws a success, its blur and its habits
included. The labels are what truly happened to those actions, so where the world is wrong they
disagree with the picture; the judge learns to doubt it. Dreamt episodes are imagined all: they are
what a policy does in a closed loop, which is what a judge is asked about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.io.files import write_atomic
from worldgym.io.progress import progress
from worldgym.native.memory import keep_freed_memory
from worldgym.reference.behaviours import is_dreamt
from worldgym.types import Episode, Frames
from worldgym.world.load_world import load_world
from worldgym.world.open_loop_replay import play_actions

SUFFIX = "-imagined"
SEED = 1_000  # the noise of an episode is that of its own seed and this


@dataclass(frozen=True)
class ImagineConfig:
    """every: one of so many seeds is imagined, and every dreamt episode.   batch: episodes advanced
    together."""

    world: Path
    store: Path
    out: Path
    every: int = 4
    batch: int = 30


def imagine(config: ImagineConfig) -> EpisodeStore:
    """Writes OUT: every recorded episode, and NAME-imagined for those of every n-th seed and all
    dreamt ones. Resumes."""
    keep_freed_memory()
    source = EpisodeStore(config.store)
    out = EpisodeStore.create(config.out, source.spec, source.fps, source.reach)
    for info in source:
        if info.name not in out:
            # the JSON last: it commits the episode
            for file in (f"{info.name}.mp4", f"{info.name}.json"):
                write_atomic(
                    config.out / "episodes" / file, (source.root / "episodes" / file).read_bytes()
                )
    cache, world = frame_cache(source), load_world(config.world)
    wanted = [
        info.name for info in source if info.extras["seed"] % config.every == 0 or is_dreamt(info)
    ]
    chosen = [name for name in wanted if name + SUFFIX not in out]
    batches = [chosen[i : i + config.batch] for i in range(0, len(chosen), config.batch)]

    def write(name: str, episode: Episode, frames: Frames) -> None:
        out.write(
            name + SUFFIX,
            replace(episode, frames=frames, source=f"{episode.source}, imagined by {world.name}"),
        )

    # a batch is coded while the world draws the next
    with ThreadPoolExecutor(os.cpu_count()) as writers:
        writing: list[Future[None]] = []
        for names in progress(batches, len(batches), "imagining", "batch"):
            episodes = [cache.episode(name) for name in names]
            seeds = [SEED + int(episode.extras["seed"]) for episode in episodes]
            starts, actions = (
                np.stack([e.frames[0] for e in episodes]),
                np.stack([e.actions for e in episodes]),
            )
            videos = play_actions(world, starts, seeds, actions)
            _await(writing)
            writing = [
                writers.submit(write, *row) for row in zip(names, episodes, videos, strict=True)
            ]
        _await(writing)
    return EpisodeStore(config.out)


def _await(futures: Sequence[Future[None]]) -> None:
    """Raises what went wrong in one of them."""
    for future in futures:
        future.result()
