"""What `gymnasium.make("worldgym/Reference-v0")` makes, of places of world, tasks and judge, by
default the bundled ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from worldgym.env.single_env import WorldEnv
from worldgym.env.vector_env import EnvConfig, WorldVectorEnv
from worldgym.io.bundled import NAME
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.load_judge import load_judge
from worldgym.native.memory import keep_freed_memory
from worldgym.tasks.task_folder import load_tasks
from worldgym.types import Task
from worldgym.world.row_threads import on_all_cores
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_protocol import World


def reference_vector_env(
    world: str | Path = NAME,
    tasks: str | Path = NAME,
    judge: str | Path | None = NAME,
    **settings: Any,
) -> WorldVectorEnv:
    """judge: None = nobody judges, and the reward is always 0.   settings: of `EnvConfig`."""
    return WorldVectorEnv(*_loaded(world, tasks, judge), EnvConfig(**settings))


def reference_env(
    world: str | Path = NAME,
    tasks: str | Path = NAME,
    judge: str | Path | None = NAME,
    **settings: Any,
) -> WorldEnv:
    """As `reference_vector_env`, of a single row."""
    return WorldEnv(*_loaded(world, tasks, judge), EnvConfig(**settings))


def _loaded(
    world: str | Path, tasks: str | Path, judge: str | Path | None
) -> tuple[World[Any], list[Task], Judge | None]:
    keep_freed_memory()
    found = None if judge is None else load_judge(judge)
    return on_all_cores(load_diffusion_world(world)), load_tasks(tasks), found
