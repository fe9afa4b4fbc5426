"""A task that is written is the task that loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Task

FRAME = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)


@pytest.mark.parametrize(
    "task",
    [
        Task("drawer/1", "drawer", FRAME, "open the drawer", 40),
        Task("flat", "flat", FRAME, "open it", 3, "half open", ("red", "dim")),
        Task(
            "a/b/c",
            "elsewhere",
            FRAME,
            "go",
            1,
            nominal="a/b/d",
            extras={"source": "x", "n": [1, 2]},
            state={"x": 0.5},
        ),
        Task(
            "dim/a",
            "dim/b",
            FRAME,
            "shut it",
            1,
            nominal="a",
            axis="goal",
            new_goal=True,
            success="it is shut",
        ),
    ],
)
def test_back_again(tmp_path: Path, task: Task) -> None:
    assert write_task(tmp_path, task) == tmp_path / f"{task.name}.png"
    (back,) = load_tasks(tmp_path)
    np.testing.assert_array_equal(back.frame, task.frame)
    assert {**vars(back), "frame": None} == {**vars(task), "frame": None}
