"""Recording the Panda's tasks with both cameras: deterministic by seed, a process a core,
resumable."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import pick
from worldgym.io.progress import progress
from worldgym.reference.panda import (
    PANDA_SPEC,
    PANDA_TASKS,
    RATE_HZ,
    STATE_NAMES,
    VIEWS,
    PandaSimulator,
)
from worldgym.reference.panda_experts import behaviour_of, panda_mover
from worldgym.types import Episode, States


@dataclass(frozen=True)
class PandaRecordConfig:
    """episodes: a task, of consecutive seeds; those of 10000 and above are for evaluation only.
    size: pixels of both views, both ways.   workers: processes; 0 = one a core."""

    out: Path
    episodes: int = 400
    first_seed: int = 0
    tasks: tuple[str, ...] = tuple(PANDA_TASKS)
    size: int = 96
    workers: int = 0


def record_panda(config: PandaRecordConfig) -> EpisodeStore:
    """Records what is missing in `config.out` and returns the store. InputError for an unknown
    task."""
    for task in config.tasks:
        pick("task", task, PANDA_TASKS)
    store = EpisodeStore.create(config.out, PANDA_SPEC, RATE_HZ, views=VIEWS)
    seeds = range(config.first_seed, config.first_seed + config.episodes)
    for task in config.tasks:
        missing = [seed for seed in seeds if f"{task}-{seed:05d}" not in store]
        if missing:
            _record_task(config, task, missing)
    return EpisodeStore(config.out)


def _record_task(config: PandaRecordConfig, task: str, seeds: list[int]) -> None:
    """In processes of their own, for a process has one renderer."""
    workers = min(config.workers or multiprocessing.cpu_count(), len(seeds))
    arguments = (task, config.size, config.out)
    with multiprocessing.get_context("spawn").Pool(workers, _begin, arguments) as pool:
        episodes = pool.imap_unordered(_record_one, seeds)
        for _ in progress(episodes, len(seeds), f"recording {task}", "episode"):
            pass


_simulators: list[PandaSimulator] = []  # this process's one
_stores: list[EpisodeStore] = []


def _begin(task: str, size: int, out: Path) -> None:
    _simulators.append(PandaSimulator(task, size))
    _stores.append(EpisodeStore(out))


def _record_one(seed: int) -> None:
    simulator = _simulators[0]
    episode = play_panda(simulator, behaviour_of(seed), seed)
    _stores[0].write(f"{simulator.name}-{seed:05d}", episode)


def play_panda(simulator: PandaSimulator, behaviour: str, seed: int) -> Episode:
    """One episode of a behaviour (see `PANDA_MIX`) from the start state of a seed. extras: task,
    seed, behaviour, success_at (bool a frame)."""
    now = simulator.reset(seed)
    act = panda_mover(simulator.name, behaviour, seed)
    steps = [now]
    actions = []
    for _ in range(simulator.task.steps):
        actions.append(act(now))
        now = simulator.step(actions[-1])
        steps.append(now)
    success = [step.success for step in steps]
    extras = {
        "task": simulator.name,
        "seed": seed,
        "behaviour": behaviour,
        "success_at": success,
    }
    return Episode(
        np.stack([step.frames for step in steps]),
        np.stack(actions),
        simulator.task.instruction,
        PANDA_SPEC,
        RATE_HZ,
        any(success),
        f"robosuite {simulator.task.env} seed {seed} {behaviour}",
        extras,
        States(np.stack([step.state for step in steps]), STATE_NAMES),
        VIEWS,
    )
