"""Rollouts replayed through a world: with other actions from the same initial frame and noise,
or with other noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError, at_least
from worldgym.evaluation.executor import Executor, LocalExecutor, each_result
from worldgym.io.progress import progress
from worldgym.types import Actions, Frames, Rollout, Task, Trial
from worldgym.world.initial_views import initial_frames
from worldgym.world.open_loop_replay import replay_actions
from worldgym.world.world_protocol import World

RECORDED = "recorded"  # the policy of a recorded episode


@dataclass(frozen=True)
class Elsewhere:
    """load: the world, in another process."""

    executor: Executor
    load: Callable[[], World[Any]]


@dataclass(frozen=True)
class ReplayOptions:
    """batch: rollouts advanced together at most; where there are more, the last ones are filled up
    to as many.

    chunks: actions per step, by policy; 1 for others. It decides when a world forgets, so it must
    be the run's own. elsewhere: by which workers; None = in this process."""

    batch: int = 20
    chunks: Mapping[str, int] = field(default_factory=dict)
    elsewhere: Elsewhere | None = None

    def __post_init__(self) -> None:
        at_least("--batch", self.batch, 1)


@dataclass(frozen=True)
class ReplayBatch:
    """A batch. actions: [B, T, A].   chunk: of them in a step."""

    tasks: tuple[Task, ...]
    seeds: tuple[int, ...]
    actions: Actions
    chunk: int


@dataclass(frozen=True)
class Recorded:
    """A recorded episode as a rollout, its task named after it, and whether it succeeded, where
    that is known."""

    rollout: Rollout
    success: bool | None


def replay_rollouts(
    world: World[Any],
    rollouts: Sequence[Rollout],
    replaying: ReplayOptions,
    future: int = 0,
    what: str = "replaying",
) -> list[Rollout]:
    """The same trials and actions with frames drawn again. future: 0 = the trial's own noise, n =
    the n-th other noise."""
    batches = replayed_batches(world, rollouts, replaying, future, what)
    drawn = dict(pair for batch in batches for pair in batch)
    return [drawn[i] for i in range(len(rollouts))]


def replayed_batches(
    world: World[Any],
    rollouts: Sequence[Rollout],
    replaying: ReplayOptions,
    future: int = 0,
    what: str = "replaying",
) -> Iterator[list[tuple[int, Rollout]]]:
    """As `replay_rollouts`, batch by batch as they are drawn, each rollout behind its place among
    those given."""

    def shape(i: int) -> tuple[int, int]:
        return len(rollouts[i].actions), replaying.chunks.get(rollouts[i].policy, 1)

    size = min(replaying.batch, len(rollouts))
    batches = list[tuple[int, list[int]]]()
    for (_, chunk), same in groupby(sorted(range(len(rollouts)), key=shape), key=shape):
        rows = list(same)
        batches += [(chunk, rows[start : start + size]) for start in range(0, len(rows), size)]
    jobs = [
        _job([rollouts[i] for i in rows + rows[-1:] * (size - len(rows))], future, chunk)
        for chunk, rows in batches
    ]
    replayed = _replayed(world, jobs, replaying.elsewhere)
    for number, frames in progress(replayed, len(jobs), what, "batch"):
        yield [
            (i, replace(rollouts[i], frames=frames[row], views=world.views))
            for row, i in enumerate(batches[number][1])
        ]


def _job(some: Sequence[Rollout], future: int, chunk: int) -> ReplayBatch:
    tasks = tuple(rollout.trial.task for rollout in some)
    seeds = tuple((rollout.trial.seed + future) % 2**63 for rollout in some)
    return ReplayBatch(tasks, seeds, np.stack([rollout.actions for rollout in some]), chunk)


def _replayed(
    world: World[Any], jobs: Sequence[ReplayBatch], elsewhere: Elsewhere | None
) -> Iterator[tuple[int, Frames]]:
    if elsewhere is None:
        return each_result(LocalExecutor(), lambda: partial(_frames, world), jobs)
    return each_result(elsewhere.executor, partial(_replayer, elsewhere.load), jobs)


def _replayer(load: Callable[[], World[Any]]) -> Callable[[ReplayBatch], Frames]:
    return partial(_frames, load())


def _frames(world: World[Any], job: ReplayBatch) -> Frames:
    """[B, T+1, V, H, W, 3]."""
    starts = initial_frames(world, job.tasks, job.seeds)
    return replay_actions(world, starts, job.seeds, job.actions, job.chunk)


def recorded_rollouts(store: EpisodeStore, per_group: int | None = None) -> list[Recorded]:
    """Episodes of a store, sorted by name; of each group of tasks at most `per_group`, half
    successes and half failures as far as there are any, and those of unknown outcome in what is
    left."""
    order = np.random.default_rng(0).permutation(len(store.infos))
    shuffled = [store.infos[i] for i in order]
    names = list[str]()
    for group in sorted({info.group for info in shuffled}):
        own = [info for info in shuffled if info.group == group]
        good, bad, unknown = (
            [info.name for info in own if info.success is side] for side in (True, False, None)
        )
        limit = len(own) if per_group is None else per_group
        failures = min(len(bad), max(limit // 2, limit - len(good)))
        names += (good[: limit - failures] + bad[:failures] + unknown)[:limit]
    if not names:
        raise InputError(f"{store.root}: the store holds no episode; record some first")
    groups = {info.name: info.group for info in store}
    return [_recorded(store, name, groups[name]) for name in sorted(names)]


def _recorded(store: EpisodeStore, name: str, group: str) -> Recorded:
    episode = store[name]
    others = {
        view: episode.frames[0, v]
        for v, view in enumerate(episode.views)
        if v and view not in episode.absent
    }
    task = Task(name, group, episode.main[0], episode.instruction, len(episode), others=others)
    happened = Rollout(
        Trial(task, 0, 0), RECORDED, episode.frames, episode.actions, views=episode.views
    )
    return Recorded(happened, episode.success)
