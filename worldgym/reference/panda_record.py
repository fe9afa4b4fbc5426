"""Recording the Panda's tasks with both cameras: deterministic by seed, one process per core,
resumable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import pick
from worldgym.evaluation.executor import each_result
from worldgym.evaluation.process_workers import ProcessExecutor
from worldgym.io.progress import progress
from worldgym.reference.panda import (
    PANDA_REACH,
    PANDA_SPEC,
    PANDA_TASKS,
    RATE_HZ,
    STATE_NAMES,
    VIEWS,
    PandaSimulator,
    PandaStep,
)
from worldgym.reference.panda_experts import behaviour_of, panda_mover
from worldgym.types import Episode, States

LIFTED = 0.04  # metres of height from which on a cube counts as lifted
STACKED = 0.045  # metres between the centres of two stacked cubes


@dataclass(frozen=True)
class PandaRecordConfig:
    """episodes: a task, of consecutive seeds; those of 10000 and above are for evaluation only.
    size: pixels of both views, both ways.   workers: processes; 0 = one per core."""

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
    executor = ProcessExecutor(config.workers)
    store = EpisodeStore.create(config.out, PANDA_SPEC, RATE_HZ, PANDA_REACH, VIEWS)
    seeds = range(config.first_seed, config.first_seed + config.episodes)
    for task in config.tasks:
        missing = [seed for seed in seeds if f"{task}-{seed:05d}" not in store]
        if missing:
            _record_task(config, executor, task, missing)
    return EpisodeStore(config.out)


def _record_task(
    config: PandaRecordConfig, executor: ProcessExecutor, task: str, seeds: list[int]
) -> None:
    """In new processes, for a process has one renderer."""
    recorder = partial(Recorder, task, config.size, config.out)
    episodes = each_result(executor, recorder, seeds)
    for _ in progress(episodes, len(seeds), f"recording {task}", "episode"):
        pass


class Recorder:
    """Of one process, with its simulator. Called with a seed, it adds that episode to the store."""

    def __init__(self, task: str, size: int, out: Path) -> None:
        self.simulator = PandaSimulator(task, size)
        self.store = EpisodeStore(out)

    def __call__(self, seed: int) -> int:
        episode = roll_out_panda(self.simulator, behaviour_of(seed), seed)
        self.store.write(f"{self.simulator.group}-{seed:05d}", episode)
        return seed


def roll_out_panda(simulator: PandaSimulator, behaviour: str, seed: int) -> Episode:
    """One episode of a behaviour (see `PANDA_MIX`) from the start state of a seed. extras: task,
    seed, behaviour; of every frame: success_at (bool), distance (metres left to the goal), object
    (its x, y, z in metres); of every frame but the last: expert, what the expert would do there."""
    now = simulator.reset(seed)
    act = panda_mover(simulator.group, behaviour, seed)
    expert = panda_mover(simulator.group, "expert", seed)
    steps = [now]
    actions = []
    labels = []
    for _ in range(simulator.task.steps):
        actions.append(act(now))
        labels.append([round(float(x), 4) for x in expert(now)])
        now = simulator.step(actions[-1])
        steps.append(now)
    success = [step.success for step in steps]
    extras = {
        "task": simulator.group,
        "seed": seed,
        "behaviour": behaviour,
        "success_at": success,
        "distance": _distances(simulator.group, steps),
        "expert": labels,
        "object": [[round(float(x), 4) for x in step.seen["object"]] for step in steps],
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


def _distances(task: str, steps: Sequence[PandaStep]) -> list[float]:
    """Of the object from where it counts as done, metres, of every frame."""
    objects = np.array([step.seen["object"] for step in steps])
    goals = np.array([step.seen["goal"] for step in steps])
    if task == "lift":
        left = np.maximum(objects[0, 2] + LIFTED - objects[:, 2], 0.0)
    else:
        left = np.linalg.norm(objects - goals - (0.0, 0.0, STACKED * (task == "stack")), axis=1)
    return [round(float(d), 4) for d in left]
