"""One batch on several cores: each thread takes some of the rows, on one core, without
communication until all are done.

Threads within an operation wait for each other hundreds of times per frame; rows never do. Measured
on two cores in benchmarks/RESULTS.md. Threads serve because torch's operations release the
interpreter lock while they work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from worldgym.types import Actions, Frames
from worldgym.world.model import DiffusionWorld
from worldgym.world.world_protocol import Completing, Given, State, World
from worldgym.world.world_start import Proprioceptive, RobotStates

T = TypeVar("T")


class SplitWorld(Generic[State]):
    """Implements `World[tuple[State, ...]]` with a world whose rows do not depend on each other,
    which all are."""

    def __init__(self, world: World[State], threads: int) -> None:
        """threads: as many cores."""
        self._world = world
        self._threads = threads
        self.name = world.name
        self.spec = world.spec
        self.frame_shape = world.frame_shape
        self.views = world.views
        self.capabilities = world.capabilities
        self._pool = ThreadPoolExecutor(
            threads, "rows", initializer=torch.set_num_threads, initargs=(1,)
        )

    def reset(self, frames: Frames, seeds: Sequence[int]) -> tuple[State, ...]:
        parts = np.array_split(np.arange(len(frames)), max(min(self._threads, len(frames)), 1))
        return tuple(
            self._all(
                lambda rows: self._world.reset(frames[rows], [seeds[row] for row in rows]), parts
            )
        )

    def complete(self, frames: Frames, given: Given, seeds: Sequence[int]) -> Frames:
        """See `worldgym.world.world_protocol.Completing`, which the world must be."""
        world = self._world
        assert isinstance(world, Completing)
        parts = np.array_split(np.arange(len(frames)), max(min(self._threads, len(frames)), 1))
        drawn = self._all(
            lambda rows: world.complete(frames[rows], given[rows], [seeds[row] for row in rows]),
            parts,
        )
        return np.concatenate(drawn)

    def step(self, state: tuple[State, ...], actions: Actions) -> tuple[tuple[State, ...], Frames]:
        parts = np.array_split(actions, len(state))
        done = self._all(lambda part: self._world.step(*part), list(zip(state, parts, strict=True)))
        return tuple(after for after, _ in done), np.concatenate([frames for _, frames in done])

    def robot_states(self, state: tuple[State, ...]) -> RobotStates:
        """See `worldgym.world.world_start.Proprioceptive`, which the world must be."""
        world = self._world
        assert isinstance(world, Proprioceptive)
        return np.concatenate([world.robot_states(part) for part in state])

    def _all(self, work: Callable[[Any], T], parts: Sequence[Any]) -> list[T]:
        return list(self._pool.map(work, parts))


def on_all_cores(world: DiffusionWorld) -> World[Any]:
    """The world with its batches divided among as many threads as torch would use; unchanged on a
    GPU or a single core."""
    threads = torch.get_num_threads()
    return SplitWorld(world, threads) if threads > 1 and world.device == "cpu" else world
