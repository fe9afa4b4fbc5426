"""A world's own false successes: recorded closed loops that look like successes in it, to the judge
too, but truly failed. Further training of a world gains most from these."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldgym.episodes.store import EpisodeStore
from worldgym.io.files import write_atomic
from worldgym.judges.load_judge import load_judge
from worldgym.native.memory import keep_freed_memory
from worldgym.reference.behaviours import is_closed_loop
from worldgym.trust.replay_test import replay_test
from worldgym.trust.rollout_replay import Recorded, ReplayOptions, recorded_rollouts
from worldgym.world.row_threads import on_all_cores
from worldgym.world.world_checkpoint import load_diffusion_world

LEAST = 4  # episodes kept, so that a training always finds some


@dataclass(frozen=True)
class MineConfig:
    """store: with closed loops, replayed in the simulator.   beside: episodes judged right that are
    kept for every one judged falsely, so that the world does not learn that everything fails."""

    world: Path
    judge: Path
    store: Path
    out: Path
    beside: float = 1.0
    batch: int = 30


@dataclass(frozen=True)
class Mined:
    """Of the closed loops looked at: false successes, and those judged right kept beside them."""

    looked_at: int
    false: int
    kept: int


def mine_false_successes(config: MineConfig) -> Mined:
    """Adds to the store OUT what is missing there."""
    keep_freed_memory()
    source = EpisodeStore(config.store)
    out = EpisodeStore.create(config.out, source.spec, source.fps, source.reach)
    loops = {info.name for info in source if is_closed_loop(info)}
    episodes = [e for e in recorded_rollouts(source) if _name(e) in loops]
    world = on_all_cores(load_diffusion_world(config.world))
    outcomes, _ = replay_test(
        world, load_judge(config.judge), episodes, ReplayOptions(config.batch)
    )
    false = [o.name for o in outcomes if o.judged and o.success is False]
    right = [o.name for o in outcomes if o.judged is o.success]
    order = np.random.default_rng(0).permutation(len(right))
    wanted = max(round(config.beside * len(false)), LEAST - len(false))
    beside = [right[i] for i in order[:wanted]]
    for name in (*false, *beside):
        if name not in out:
            for file in (f"{name}.mp4", f"{name}.json"):  # the JSON last: it commits the episode
                content = (source.root / "episodes" / file).read_bytes()
                write_atomic(config.out / "episodes" / file, content)
    return Mined(len(outcomes), len(false), len(beside))


def _name(episode: Recorded) -> str:
    return episode.rollout.trial.task.name
