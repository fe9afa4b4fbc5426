"""Writing tasks in the layout that `worldgym.tasks.task_folder` reads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from worldgym.io.files import write_atomic, write_json
from worldgym.types import Frames, Task


def write_task(folder: Path, task: Task) -> Path:
    """FOLDER/NAME.png and .json, and NAME.VIEW.png of each further view; the JSON last: it commits
    the task. Loading the folder gives the task back. => the PNG."""
    data: dict[str, Any] = {
        "instruction": task.instruction,
        "partial_credit_criteria": task.partial_credit,
        "steps": task.steps,
    }
    if task.group != (task.name.rpartition("/")[0] or task.name):
        data["group"] = task.group
    if task.tags:
        data["tags"] = list(task.tags)
    if task.success:
        data["success_criteria"] = task.success
    if task.nominal:
        data |= {
            "nominal": task.nominal,
            "axis": task.axis,
            "goal": "new" if task.new_goal else "same",
        }
    if task.state:
        data["state"] = dict(task.state)
    image = folder / f"{task.name}.png"
    write_atomic(image, to_png(task.frame))
    for view, frame in task.others.items():
        write_atomic(folder / f"{task.name}.{view}.png", to_png(frame))
    write_json(folder / f"{task.name}.json", {**data, **task.extras})
    return image


def to_png(frame: Frames) -> bytes:
    """uint8 [H, W, 3] as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "png", optimize=True)
    return buffer.getvalue()
