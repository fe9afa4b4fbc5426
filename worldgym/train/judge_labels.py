"""What a judge learns from: frame by frame, whether the task was done and how far it had come.

Needs `extras["success_at"]` (bool a frame) and `extras["distance"]` (object to goal, any unit, a
frame) in the episode store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgym.episodes.frame_cache import FrameCache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.types import Frames

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# one in so many seeds is held out from a judge's training; a prime, so that it does not coincide
# with other choices by seed
HELD_OUT_EVERY = 11


@dataclass(frozen=True)
class Labels:
    """pixels: of each view that is read. Of episode e: first[e] is the row of its initial frame in
    them, `later[e]` frames
    follow it, text[e] is the number of its instruction, and drawn[e] says whether a world drew it.
    done, progress: of every row."""

    pixels: tuple[Frames, ...]
    first: Ints
    later: Ints
    text: Ints
    instructions: tuple[str, ...]
    drawn: Bools
    done: Bools
    progress: npt.NDArray[np.float32]

    def succeeded(self) -> Bools:
        """Of every episode, at any time."""
        return self.done_within(self.first, self.later)

    def done_within(self, first: Ints, later: Ints) -> Bools:
        """Whether the task was done within this many frames after each of these initial frames."""
        return np.array(
            [self.done[f + 1 : f + 1 + n].any() for f, n in zip(first, later, strict=True)]
        )


def split_names(store: EpisodeStore, held_out_every: int) -> tuple[list[str], list[str]]:
    """(trained on, held out), by extras["seed"]. InputError if either is empty."""
    held_out = [info.name for info in store if info.extras.get("seed", 1) % held_out_every == 0]
    trained_on = sorted({info.name for info in store} - set(held_out))
    if not held_out or not trained_on:
        raise InputError(
            f"{store.root}: {len(held_out)} episodes have a seed that {held_out_every} divides and "
            f"{len(trained_on)} have not; "
            f"a judge needs both, so record episodes of more seeds"
        )
    return trained_on, held_out


def make_labels(
    cache: FrameCache, names: Sequence[str], drawn: str = "", views: Sequence[str] = ()
) -> Labels:
    """Of these episodes, those drawn by a world known by the end of their name. InputError for one
    without frame labels, and for `views` that are missing; () = the main one."""
    infos = {info.name: info for info in cache.store}
    instructions = tuple(sorted({infos[name].instruction for name in names}))
    done = np.zeros(len(cache.pixels), np.bool_)
    progress = np.zeros(len(cache.pixels), np.float32)
    for name in names:
        extras, (first, count) = cache.episode(name).extras, cache.spans[name]
        if "success_at" not in extras or "distance" not in extras:
            raise InputError(
                f'{cache.store.root}: episode {name} lacks extras "success_at" or "distance"; '
                f"record it with them"
            )
        done[first + 1 : first + count] = extras["success_at"][1:]
        progress[first + 1 : first + count] = progress_of(
            np.asarray(extras["distance"], np.float32)
        )
    first, count = np.array([cache.spans[name] for name in names]).T
    text = np.array([instructions.index(infos[name].instruction) for name in names])
    by_world = np.array([name.endswith(drawn) for name in names])
    pixels = cache.of_views(views)
    return Labels(pixels, first, count - 1, text, instructions, by_world, done, progress)


def progress_of(distance: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Distances [T+1] => share of the way done at each later frame [T], in [0, 1]."""
    done: npt.NDArray[np.float32] = 1.0 - distance[1:] / np.float32(max(float(distance[0]), 1e-3))
    return np.clip(done, 0.0, 1.0)


def sampling_pools(labels: Labels) -> list[Ints]:
    """Episodes: for each instruction those that succeed and those that do not, of each those drawn
    and those recorded."""
    succeeded = labels.succeeded()
    kinds = [
        (labels.text == text) & (succeeded == success) & (labels.drawn == drawn)
        for text in range(len(labels.instructions))
        for success in (True, False)
        for drawn in (True, False)
    ]
    return [pool for kind in kinds if len(pool := np.flatnonzero(kind))]


def draw(pools: list[Ints], count: int, rng: np.random.Generator) -> Ints:
    """`count` episodes: each pool equally often, and uniformly within a pool."""
    return np.array(
        [
            pool[rng.integers(len(pool))]
            for pool in (pools[i] for i in rng.integers(0, len(pools), count))
        ]
    )
