"""Digests that identify an initial frame, and a list of tasks, in logs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from worldgym.types import Frames, Task


def frame_digest(frame: Frames) -> str:
    """SHA-256 of the shape and pixels of a picture, or of a video, in hexadecimal digits."""
    return hashlib.sha256(f"{frame.shape}".encode() + frame.tobytes()).hexdigest()


def _views(task: Task) -> dict[str, str]:
    return {view: frame_digest(frame) for view, frame in sorted(task.others.items())}


def tasks_digest(tasks: Sequence[Task]) -> str:
    """64 hexadecimal digits that change with anything of the tasks that a rollout or a verdict
    depends on, their order too."""
    rows = [_row(task) for task in tasks]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def task_digests(tasks: Sequence[Task]) -> dict[str, str]:
    """By name, 16 hexadecimal digits that change with anything that a trial of the task depends
    on."""
    return {
        task.name: hashlib.sha256(json.dumps(_row(task)).encode()).hexdigest()[:16]
        for task in tasks
    }


def _row(task: Task) -> dict[str, Any]:
    return {
        "task": (task.name, task.group, task.nominal, task.axis, task.new_goal),
        "asked": (task.instruction, task.steps, task.success, task.partial_credit),
        "state": {name: float(number) for name, number in sorted(task.state.items())},
        "rubric": task.extras.get("rubric"),
        "frame": frame_digest(task.frame),
        **({"views": _views(task)} if task.others else {}),
    }
