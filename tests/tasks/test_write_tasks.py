"""A task that is written is the task that loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import remove_task, write_task
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


def test_views_of_an_older_task_are_gone(tmp_path: Path) -> None:
    beside = Task("a/0.left", "a", FRAME, "go", 1, others={"top": FRAME})
    other = Task("a/00", "a", FRAME, "go", 1, others={"top": FRAME})
    old = Task("a/0", "a", FRAME, "go", 1, others={"wrist": FRAME, "top": FRAME})
    for task in (beside, other, old, replace(old, others={"top": FRAME})):
        write_task(tmp_path, task)
    kept = {"a/0.left": ["top"], "a/00": ["top"]}
    views = {task.name: list(task.others) for task in load_tasks(tmp_path)}
    assert views == {"a/0": ["top"], **kept}
    remove_task(tmp_path, "a/0")
    remove_task(tmp_path, "b/0")
    assert {task.name: list(task.others) for task in load_tasks(tmp_path)} == kept


def test_what_json_cannot_hold_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_task(tmp_path, Task("a", "a", FRAME, "go", 1, extras={"x": float("nan")}))
    assert not list(tmp_path.iterdir())
