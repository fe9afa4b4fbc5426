"""Recorded episodes as a world sees them: their actions played through it, with the simulator's labels.

A judge that also learns from these knows how the world draws a success, its blur and its habits included. The labels are
what truly happened to those actions, so where the world is wrong they disagree with the picture; the judge learns to doubt it.
Dreamt episodes are imagined all: they are what a policy does in a closed loop, which is what a judge is asked about.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from worldgym.episodes.frames import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.memory import keep_freed_memory
from worldgym.progress import progress
from worldgym.reference.behaviours import is_dreamt
from worldgym.world.model import load_world
from worldgym.world.replay import replay

SUFFIX = "-imagined"


@dataclass(frozen=True)
class ImagineConfig:
    """every: one of so many seeds is imagined, and every dreamt episode.   batch: episodes advanced together."""

    world: Path
    store: Path
    out: Path
    every: int = 4
    batch: int = 30


def imagine(config: ImagineConfig) -> EpisodeStore:
    """Writes OUT: every recorded episode, and NAME-imagined for those of every n-th seed and all dreamt ones. Resumes."""
    keep_freed_memory()
    source = EpisodeStore(config.store)
    out = EpisodeStore.create(config.out, source.spec, source.fps, source.reach)
    for info in source:
        if info.name not in out:
            for suffix in (".mp4", ".json"):  # the JSON last: it commits the episode
                (config.out / "episodes").mkdir(parents=True, exist_ok=True)
                shutil.copyfile(
                    source.root / "episodes" / f"{info.name}{suffix}", config.out / "episodes" / f"{info.name}{suffix}"
                )
    cache, world = frame_cache(source), load_world(config.world)
    wanted = [info.name for info in source if info.extras["seed"] % config.every == 0 or is_dreamt(info)]
    chosen = [name for name in wanted if name + SUFFIX not in out]
    batches = [chosen[i : i + config.batch] for i in range(0, len(chosen), config.batch)]
    for names in progress(batches, len(batches), "imagining", "batch"):
        episodes = [cache.episode(name) for name in names]
        result = replay(world, episodes, seed=1_000 + int(episodes[0].extras["seed"]))
        for name, episode, frames in zip(names, episodes, result.frames, strict=True):
            out.write(name + SUFFIX, replace(episode, frames=frames, source=f"{episode.source}, imagined by {world.name}"))
    return EpisodeStore(config.out)
