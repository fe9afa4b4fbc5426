"""Writing tasks in the layout that `worldgym.tasks.task_folder` reads."""

from __future__ import annotations

import glob
import io
from pathlib import Path
from typing import Any

from PIL import Image

from worldgym.io.files import json_bytes, write_atomic
from worldgym.types import Frames, Task


def write_task(folder: Path, task: Task) -> Path:
    """FOLDER/NAME.png and .json, and NAME.VIEW.png of each further view, in place of those of an
    older task; the JSON last: it commits the task. Loading the folder gives the task back. => the
    PNG."""
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
    text = json_bytes({**data, **task.extras})
    image, commit = folder / f"{task.name}.png", folder / f"{task.name}.json"
    write_atomic(image, to_png(task.frame))
    for view, frame in task.others.items():
        write_atomic(folder / f"{task.name}.{view}.png", to_png(frame))
    if commit.exists():
        for place in _further(folder, task.name):
            if place.stem.rpartition(".")[2] not in task.others:
                place.unlink()
    write_atomic(commit, text)
    return image


def remove_task(folder: Path, name: str) -> None:
    """Nothing is left of the task, which need not be there."""
    for place in (*_further(folder, name), folder / f"{name}.png", folder / f"{name}.json"):
        place.unlink(missing_ok=True)


def _further(folder: Path, name: str) -> list[Path]:
    """Pictures of a task's further views; one with a JSON beside it is another task."""
    image = folder / f"{name}.png"
    return [
        place
        for place in image.parent.glob(f"{glob.escape(image.stem)}.*.png")
        if place.stem.rpartition(".")[0] == image.stem and not place.with_suffix(".json").exists()
    ]


def to_png(frame: Frames) -> bytes:
    """uint8 [H, W, 3] as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "png", optimize=True)
    return buffer.getvalue()
