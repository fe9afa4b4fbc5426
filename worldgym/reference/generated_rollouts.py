"""The true outcome of actions from closed loops in a learned world: the training data that
recordings lack. A policy in closed loop with a world finds action sequences for which the world is
wrong, like an optimizer that exploits errors of its objective; replays of recorded actions never
contain them. So policies that are not evaluated act in the world, from initial frames of training
seeds, and the simulator replays their actions; the result is stored as recorded episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.evaluation.executor import each_result
from worldgym.evaluation.process_workers import ProcessExecutor
from worldgym.evaluation.rollout import roll_out
from worldgym.io.progress import progress
from worldgym.native.memory import keep_freed_memory
from worldgym.policies.load_policy import load_policy
from worldgym.policies.policy_protocol import Policy
from worldgym.reference.behaviours import CLOSED_LOOP, given_actions
from worldgym.reference.record import episode_name, roll_out_behaviour
from worldgym.reference.reference_tasks import (
    FIRST_HELD_OUT_SEED,
    FPS,
    METAWORLD_SPEC,
    REACH,
    STEPS,
    TASKS,
    check_tasks,
)
from worldgym.reference.simulator import Simulator
from worldgym.types import Task, Trial
from worldgym.world.model import DiffusionWorld
from worldgym.world.world_checkpoint import load_diffusion_world


@dataclass(frozen=True)
class ClosedLoopConfig:
    """policies: folders; none of them should be evaluated later.   seeds: of start states, a task
    and policy."""

    world: Path
    policies: tuple[str, ...]
    out: Path
    seeds: tuple[int, ...]
    tasks: tuple[str, ...] = tuple(TASKS)
    batch: int = 25
    workers: int = 0
    """processes; 0 = one per core"""


@dataclass(frozen=True)
class ReplayJob:
    """One policy, one task, a batch of start states."""

    world: Path
    policy: str
    out: Path
    task: str
    seeds: tuple[int, ...]


def generate_rollouts(config: ClosedLoopConfig) -> EpisodeStore:
    """Adds what is missing to the episode store `config.out` (names TASK-SEED-POLICY) and returns
    it."""
    check_tasks(config.tasks)
    if held_out := [seed for seed in config.seeds if seed >= FIRST_HELD_OUT_SEED]:
        raise InputError(
            f"seed {held_out[0]} is kept for evaluation: give seeds below {FIRST_HELD_OUT_SEED}"
        )
    executor = ProcessExecutor(config.workers)
    store = EpisodeStore.create(config.out, METAWORLD_SPEC, FPS, REACH)
    jobs = []
    for source in config.policies:
        name = load_policy(source, METAWORLD_SPEC).name
        for task in config.tasks:
            missing = [
                seed for seed in config.seeds if closed_loop_name(task, seed, name) not in store
            ]
            batches = [
                tuple(missing[i : i + config.batch]) for i in range(0, len(missing), config.batch)
            ]
            jobs += [ReplayJob(config.world, source, config.out, task, seeds) for seeds in batches]
    batches_done = each_result(executor, _prepare, jobs)
    for _ in progress(batches_done, len(jobs), "generating closed loops", "batch"):
        pass
    return EpisodeStore(config.out)


def closed_loop_name(task: str, seed: int, policy: str) -> str:
    return f"{episode_name(task, seed)}-{policy}"


def _prepare() -> Callable[[ReplayJob], int]:
    """One thread per process, as simulator and small networks like it."""
    torch.set_num_threads(1)
    keep_freed_memory()
    return _closed_loop_batch


def _closed_loop_batch(job: ReplayJob) -> int:
    """=> how many episodes it stored."""
    world = _world(job.world)
    policy = _policy(job.policy)
    simulator = _simulator(job.task)
    starts = [simulator.reset(seed).frame for seed in job.seeds]
    tasks = [
        Task(f"{job.task}/{seed}", job.task, frame, simulator.task.instruction, STEPS)
        for seed, frame in zip(job.seeds, starts, strict=True)
    ]
    for seed, rollout in zip(
        job.seeds, roll_out(world, policy, [Trial(task, 0, 0) for task in tasks]), strict=True
    ):
        episode = roll_out_behaviour(
            simulator, f"{CLOSED_LOOP}{policy.name}", given_actions(rollout.actions), seed, STEPS
        )
        _store(job.out).write(closed_loop_name(job.task, seed, policy.name), episode)
    return len(job.seeds)


@cache
def _world(folder: Path) -> DiffusionWorld:
    return load_diffusion_world(folder)


@cache
def _policy(source: str) -> Policy[Any]:
    return load_policy(source, METAWORLD_SPEC)


@cache
def _simulator(task: str) -> Simulator:
    return Simulator(task)


@cache
def _store(root: Path) -> EpisodeStore:
    return EpisodeStore(root)
