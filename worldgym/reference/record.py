"""Recording episodes of the reference world: deterministic by seed, on all cores, resumable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.evaluation.executor import each_result
from worldgym.evaluation.process_workers import ProcessExecutor
from worldgym.io.progress import progress
from worldgym.reference.behaviours import (
    MIXES,
    Behaviour,
    behaviour_name,
    expert_of,
    make_behaviour,
)
from worldgym.reference.reference_tasks import FPS, METAWORLD_SPEC, REACH, STEPS, TASKS, check_tasks
from worldgym.reference.simulator import Simulator
from worldgym.reference.variations import PLAIN, Variation
from worldgym.types import Episode

CAMERAS = 24


@dataclass(frozen=True)
class RecordConfig:
    """Episodes per task from consecutive seeds. Seeds of 10000 and above are for evaluation
    only."""

    out: Path
    episodes: int = 400
    """episodes per task"""
    first_seed: int = 0
    tasks: tuple[str, ...] = tuple(TASKS)
    steps: int = STEPS
    mix: str = "varied"
    """one of `behaviours.MIXES`"""
    moved_cameras: bool = False
    """each from one of `CAMERAS` places of the camera near its usual one, by its seed"""
    workers: int = 0
    """processes; 0 = one per core"""


def record(config: RecordConfig) -> EpisodeStore:
    """Records what is missing in `config.out` and returns the store."""
    check_tasks(config.tasks)
    if config.mix not in MIXES:
        raise InputError(f"unknown mix {config.mix!r}: one of {', '.join(MIXES)}")
    executor = ProcessExecutor(config.workers)
    store = EpisodeStore.create(config.out, METAWORLD_SPEC, FPS, REACH)
    seeds = range(config.first_seed, config.first_seed + config.episodes)
    jobs = [
        (config.out, task, seed, config.steps, config.mix, config.moved_cameras)
        for seed in seeds
        for task in config.tasks
    ]
    jobs = [job for job in jobs if episode_name(job[1], job[2]) not in store]
    episodes = each_result(executor, _recorder, jobs)
    for _ in progress(episodes, len(jobs), "recording", "episode"):
        pass
    return EpisodeStore(config.out)


def episode_name(task: str, seed: int) -> str:
    return f"{task}-{seed:05d}"


def roll_out_episode(
    simulator: Simulator, behaviour: str, seed: int, steps: int = STEPS
) -> Episode:
    """One episode of a behaviour (see `behaviours.MIXES`) from the start state of a seed."""
    task = simulator.task.name
    act = make_behaviour(behaviour, task, seed, simulator.expert(expert_of(behaviour, task)))
    return roll_out_behaviour(simulator, behaviour, act, seed, steps)


def roll_out_behaviour(
    simulator: Simulator, name: str, act: Behaviour, seed: int, steps: int
) -> Episode:
    """One episode. extras: task, seed, behaviour (its `name`), success_at (bool a frame), distance
    (metres a frame), expert (what the scripted expert would have done at each step: clean labels
    for behaviour cloning)."""
    sight = simulator.reset(seed)
    teacher = simulator.expert()
    expert = []
    frames = [sight.frame]
    actions = []
    success = [False]
    distance = [sight.distance]
    for step in range(steps):
        actions.append(act(sight.state, step))
        expert.append(
            [round(float(x), 4) for x in np.clip(teacher.get_action(sight.state), -1.0, 1.0)]
        )
        sight = simulator.step(actions[-1])
        frames.append(sight.frame)
        success.append(sight.success)
        distance.append(round(sight.distance, 4))
    extras = {
        "task": simulator.task.name,
        "seed": seed,
        "behaviour": name,
        "success_at": success,
        "distance": distance,
        "expert": expert,
    }
    source = f"metaworld {simulator.task.env} seed {seed} {name}"
    return Episode(
        np.stack(frames)[:, None],
        np.stack(actions),
        simulator.task.instruction,
        METAWORLD_SPEC,
        FPS,
        any(success),
        source,
        extras,
    )


@lru_cache(maxsize=2 * len(TASKS))
def _simulator(task: str, camera: int | None) -> Simulator:
    return Simulator(task, change=PLAIN if camera is None else moved_camera(camera))


def moved_camera(number: int) -> Variation:
    """The camera up to 6 cm, and what it looks at up to 7 cm, from where they usually are."""
    rng = np.random.default_rng([number, 26])
    camera, target = rng.uniform(-0.06, 0.06, 3), rng.uniform(-0.07, 0.07, 3)
    x, y, z = map(float, camera)
    to_x, to_y, to_z = map(float, target)
    return Variation("camera", camera=(x, y, z), target=(to_x, to_y, to_z))


Job = tuple[Path, str, int, int, str, bool]


def _recorder() -> Callable[[Job], int]:
    return _record_one


def _record_one(job: Job) -> int:
    out, task, seed, steps, mix, moved = job
    simulator = _simulator(task, seed % CAMERAS if moved else None)
    episode = roll_out_episode(simulator, behaviour_name(seed, mix), seed, steps)
    _store(out).write(episode_name(task, seed), episode)
    return seed


@cache
def _store(root: Path) -> EpisodeStore:
    return EpisodeStore(root)
