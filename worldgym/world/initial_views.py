"""Initial frames of all views of a world: those that a task has, and those that the world
generates. A task has the main view, and possibly others. What is missing a world that is
`Completing` draws from the main view and the trial's own noise, and the trial is flagged; another
world is refused before the first frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from worldgym.errors import InputError
from worldgym.types import Frames, Task
from worldgym.world.world_answers import completed
from worldgym.world.world_protocol import Completing, World


def initial_frames(world: World[Any], tasks: Sequence[Task], seeds: Sequence[int]) -> Frames:
    """uint8 [B, V, H, W, 3] for `World.reset`: one task and one seed per row."""
    given = np.array(
        [[_brings(task, v, view) for v, view in enumerate(world.views)] for task in tasks]
    )
    frames = np.zeros((len(tasks), len(world.views), *world.frame_shape), np.uint8)
    for row, task in enumerate(tasks):
        frames[row, 0] = task.frame
        for v, view in enumerate(world.views):
            if v and given[row, v]:
                frames[row, v] = task.others[view]
    if given.all():
        return frames
    check_initial_views(world, tasks)
    assert isinstance(world, Completing)
    return completed(world, world.name, frames, given, seeds)


def generated_views(views: Sequence[str], task: Task) -> tuple[str, ...]:
    """Flags of a trial whose world draws these views: one for each that its task does not bring."""
    return tuple(
        f"{view} view generated" for v, view in enumerate(views) if not _brings(task, v, view)
    )


def check_initial_views(world: World[Any], tasks: Sequence[Task]) -> None:
    """InputError where a task lacks a view that the world cannot draw by itself, or brings one of
    another size."""
    for task in tasks:
        for v, view in enumerate(world.views):
            if not _brings(task, v, view):
                if not isinstance(world, Completing):
                    raise InputError(
                        f"task {task.name}: brings no initial frame of the view {view}, and the "
                        f"world {world.name} cannot draw it; add {task.name}.{view}.png"
                    )
            elif v and task.others[view].shape != world.frame_shape:
                (height, width), (own_height, own_width) = (
                    task.others[view].shape[:2],
                    world.frame_shape[:2],
                )
                raise InputError(
                    f"task {task.name}: its {view} image is {width}x{height}, but the world draws "
                    f"{own_width}x{own_height}; resize the PNG or choose a world of its size"
                )


def _brings(task: Task, number: int, view: str) -> bool:
    return number == 0 or view in task.others
