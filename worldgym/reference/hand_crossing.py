"""The hand-crossing test: the hand passes in front of an object without touching it, and the hidden
object must reappear unchanged.

In the simulator the hand goes beside the object, passes between it and the camera and stays on the
other side. Those passes in which nothing was moved are replayed through the world. PSNR is computed
in a window around the object, before the hand comes near it, and after it has left. A world that
redraws the object in the state that usually follows such a motion loses more decibels here than
elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.io.files import write_json
from worldgym.native.memory import keep_freed_memory
from worldgym.reference.disturbed import HAND, MOVE, OBJECT
from worldgym.reference.reference_tasks import METAWORLD_SPEC, STEPS, check_tasks
from worldgym.reference.simulator import (
    CAMERA_FOVY,
    CAMERA_POSITION,
    CAMERA_TARGET,
    Simulator,
)
from worldgym.types import Actions, Frames
from worldgym.world.open_loop_replay import psnr, replay_actions
from worldgym.world.row_threads import on_all_cores
from worldgym.world.world_checkpoint import load_diffusion_world

Numbers = npt.NDArray[np.float64]
WINDOW = 8  # pixels each way about the object's picture
NEAR, FAR = 9.0, 17.0  # pixels between the pictures of hand and object: over it, and away again
PASS, ARRIVE = 13, 27  # steps at which it sets out from the one side, and must be on the other
STILL = 0.003  # metres that an untouched object may seem to move
# the camera's axes: into the picture, and to its right
FORWARD = (CAMERA_TARGET - CAMERA_POSITION) / np.linalg.norm(CAMERA_TARGET - CAMERA_POSITION)
RIGHT = np.cross(FORWARD, [0.0, 0.0, 1.0]) / np.linalg.norm(np.cross(FORWARD, [0.0, 0.0, 1.0]))
MOST_TRIES = 6  # start states looked at for each one wanted


@dataclass(frozen=True)
class CrossingConfig:
    """crossings: a task.   first_seed: of the start states."""

    world: Path
    out: Path
    tasks: tuple[str, ...]
    crossings: int = 10
    first_seed: int = 12_000


@dataclass(frozen=True)
class Crossing:
    """One in which the object stayed. window: rows and columns about the object.   before, after:
    frames at which the hand has not been there yet, and has left."""

    frames: Frames
    actions: Actions
    window: tuple[slice, slice]
    before: tuple[int, ...]
    after: tuple[int, ...]


def measure_crossings(config: CrossingConfig) -> dict[str, Any]:
    """Writes OUT/hand-crossing.json and returns it: by task, PSNR in dB before and after, in the
    generated video against the simulator's."""
    check_tasks(config.tasks)
    keep_freed_memory()
    world = on_all_cores(load_diffusion_world(config.world))
    tasks: dict[str, dict[str, float | None]] = {}
    for task in config.tasks:
        found = _crossings(config, task)
        if not found:
            tasks[task] = {"crossings": 0, "before": None, "after": None, "lost": None}
            continue
        starts = np.stack([one.frames[0] for one in found])[:, None]
        actions = np.stack([one.actions for one in found])
        drawn = replay_actions(world, starts, list(range(len(found))), actions)[:, :, 0]
        rows = [_levels(one, video) for one, video in zip(found, drawn, strict=True)]
        before, after = (float(np.mean(column)) for column in zip(*rows, strict=True))
        tasks[task] = {
            "crossings": len(found),
            "before": before,
            "after": after,
            "lost": before - after,
        }
    lost = [row["lost"] for row in tasks.values() if row["lost"] is not None]
    figures = {
        "world": world.name,
        "mean_lost": float(np.mean(lost)) if lost else None,
        "tasks": tasks,
    }
    write_json(config.out / "hand-crossing.json", figures)
    return figures


def _levels(one: Crossing, video: Frames) -> tuple[float, float]:
    """(before, after): mean PSNR in the window."""
    drawn, true = (frames[:, *one.window] for frames in (video, one.frames))
    levels = psnr(drawn, true)
    return float(levels[list(one.before)].mean()), float(levels[list(one.after)].mean())


def _crossings(config: CrossingConfig, task: str) -> list[Crossing]:
    simulator = Simulator(task)
    found = list[Crossing]()
    last = config.first_seed + MOST_TRIES * config.crossings
    for seed in range(config.first_seed, last):
        if len(found) == config.crossings:
            break
        one = _crossing(simulator, task, seed)
        found += [] if one is None else [one]
    simulator.close()
    return found


def _crossing(simulator: Simulator, task: str, seed: int) -> Crossing | None:
    """None where the object was moved, or the hand was never over it or never left."""
    sight = simulator.reset(seed)
    rng = np.random.default_rng([seed, len(task)])
    side = rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 0.26) * RIGHT
    nearer = rng.uniform(0.12, 0.18)  # to the camera: it hides the object and cannot touch it
    states, frames, actions = [sight.state], [sight.frame], []
    for step in range(STEPS):
        share = float(np.clip((step - PASS) / (ARRIVE - PASS), 0.0, 1.0))
        thing = sight.state[OBJECT]
        ahead = (CAMERA_POSITION - thing) / np.linalg.norm(CAMERA_POSITION - thing)
        place = thing + nearer * ahead + (1.0 - 2.0 * share) * side
        move = np.clip((place - sight.state[HAND]) / MOVE, -1.0, 1.0)
        actions.append(np.append(move, 1.0).astype(np.float32))
        sight = simulator.step(actions[-1])
        states.append(sight.state)
        frames.append(sight.frame)
    hand = np.stack([state[HAND] for state in states])
    things = np.stack([state[OBJECT] for state in states])
    if np.abs(things - things[0]).max() > STILL:
        return None
    size = simulator.size
    gap = np.linalg.norm(projected(hand, size) - projected(things, size), axis=1)
    if gap[PASS:ARRIVE].min() > NEAR:
        return None
    before = tuple(int(t) for t in range(1, PASS + 1) if gap[t] > FAR)
    after = tuple(int(t) for t in range(ARRIVE, STEPS + 1) if gap[t] > FAR)
    if not before or not after:
        return None
    return Crossing(
        np.stack(frames),
        np.stack(actions).astype(np.float32).reshape(STEPS, METAWORLD_SPEC.size),
        _window(projected(things[:1], size)[0], size),
        before,
        after,
    )


def projected(places: Numbers, size: int) -> Numbers:
    """Places [N, 3] in the simulator's metres => (column, row) [N, 2] in the picture."""
    seen = places - CAMERA_POSITION
    depth = seen @ FORWARD
    scale = size / 2 / np.tan(np.radians(CAMERA_FOVY) / 2)
    across = np.stack([seen @ RIGHT, seen @ np.cross(FORWARD, RIGHT)], axis=1) / depth[:, None]
    return np.asarray(size / 2 + scale * across)


def _window(centre: Sequence[float] | Numbers, size: int) -> tuple[slice, slice]:
    column, row = (int(np.clip(round(float(x)), WINDOW, size - WINDOW)) for x in centre)
    return slice(row - WINDOW, row + WINDOW), slice(column - WINDOW, column + WINDOW)
