"""A perturbed suite loads as a task folder, twins beside each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worldgym.errors import EditRefused, InputError
from worldgym.tasks.edited_tasks import PerturbConfig, perturb
from worldgym.tasks.edits.edit_file import Edit
from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Task

EDITS = '[[edit]]\nname = "dim"\nsteps = [{ kind = "lighting", gain = 0.5 }]\n'


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    for i in range(3):
        frame = np.full((20, 20, 3), 40 * (i + 1), np.uint8)
        write_task(tmp_path / "tasks", Task(f"door/{i}", "door", frame, "open the door", 4))
    (tmp_path / "tasks" / "truth.csv").write_text("policy,task,success\np,door/0,1\n")
    (tmp_path / "edits.toml").write_text(EDITS)
    return tmp_path / "tasks"


def config(tasks: Path, **changes: object) -> PerturbConfig:
    known = {"tasks": tasks, "edits": tasks.parent / "edits.toml", "out": tasks.parent / "out"}
    return PerturbConfig(**{**known, **changes})  # type: ignore[arg-type]


def test_every_edited_task_stands_beside_its_twin(tasks: Path) -> None:
    assert perturb(config(tasks)) == (3, {"dim": 3}, {})
    suite = {task.name: task for task in load_tasks(tasks.parent / "out")}
    assert sorted(suite) == ["dim/door/0", "dim/door/1", "dim/door/2", "door/0", "door/1", "door/2"]
    for name, task in suite.items():
        assert task.nominal == (name.removeprefix("dim/") if name.startswith("dim/") else None)
        if task.nominal:
            np.testing.assert_array_equal(task.frame, (suite[task.nominal].frame / 2).round())
    assert (tasks.parent / "out" / "truth.csv").read_bytes() == (tasks / "truth.csv").read_bytes()


def test_a_suite_is_perturbed_from_its_nominal_tasks(tasks: Path) -> None:
    perturb(config(tasks))
    again = tasks.parent / "again"
    assert perturb(config(tasks.parent / "out", out=again, limit=2)) == (2, {"dim": 2}, {})
    assert len(load_tasks(again)) == 4


def test_what_an_earlier_file_of_edits_made_is_told(
    tasks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tasks / "published.csv").write_text("policy,group,trials,successes\np,door,3,1\n")
    perturb(config(tasks))
    perturb(config(tasks))
    assert capsys.readouterr().err == "" and (tasks.parent / "out" / "published.csv").exists()
    (tasks.parent / "edits.toml").write_text(EDITS.replace('"dim"', '"dark"'))
    perturb(config(tasks))
    assert (
        "holds 3 tasks that" in (told := capsys.readouterr().err)
        and "dim/door/0 among them" in told
    )


def test_an_edit_that_is_refused_now_leaves_no_twin(
    tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    perturb(config(tasks))

    def refuse(self: Edit, task: Task) -> Task:
        raise EditRefused("no")

    monkeypatch.setattr(Edit, "of", refuse)
    assert perturb(config(tasks))[1] == {"dim": 0}
    assert all(task.nominal is None for task in load_tasks(tasks.parent / "out"))


def test_what_cannot_be_done(tasks: Path) -> None:
    with pytest.raises(InputError, match="is the input itself"):
        perturb(config(tasks, out=tasks))
    (tasks.parent / "edits.toml").write_text(EDITS + 'only = ["window/*"]\n')
    with pytest.raises(InputError, match="edit dim fits no task"):
        perturb(config(tasks))
    assert not (tasks.parent / "out").exists()


def test_a_suite_and_its_tasks_lie_apart(tasks: Path) -> None:
    """Each would be read as a part of the other the next time."""
    before = sorted(tasks.parent.rglob("*"))
    for out, told in {
        tasks: "is the input itself",
        tasks / "suite": "lies inside the input",
        tasks.parent: "lies inside the suite",
    }.items():
        with pytest.raises(InputError, match=told):
            perturb(config(tasks, out=out))
    assert sorted(tasks.parent.rglob("*")) == before


def test_an_edited_task_takes_no_place_of_an_original_one(tasks: Path) -> None:
    frame = np.zeros((20, 20, 3), np.uint8)
    write_task(tasks, Task("0", "0", frame, "open the door", 4))
    (tasks.parent / "edits.toml").write_text(EDITS.replace('"dim"', '"door"'))
    with pytest.raises(
        InputError, match="edit door of task 0 would take the place of the task door/0; rename"
    ):
        perturb(config(tasks))
    assert not (tasks.parent / "out").exists()


def test_views_of_an_edited_task_go_with_it(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were of an edit of the words, then the picture is edited, then that is refused."""
    frame = np.full((20, 20, 3), 90, np.uint8)
    write_task(tasks, Task("door/0", "door", frame, "open the door", 4, others={"wrist": frame}))
    words = EDITS.replace('kind = "lighting", gain = 0.5', 'kind = "reword", to = "open it"')

    def views() -> dict[str, list[str]]:
        suite = load_tasks(tasks.parent / "out")
        return {task.name: list(task.others) for task in suite if task.name.endswith("/0")}

    (tasks.parent / "edits.toml").write_text(words)
    perturb(config(tasks))
    assert views() == {"door/0": ["wrist"], "dim/door/0": ["wrist"]}
    (tasks.parent / "edits.toml").write_text(EDITS)
    perturb(config(tasks))
    assert views() == {"door/0": ["wrist"], "dim/door/0": []}
    (tasks.parent / "edits.toml").write_text(words)
    perturb(config(tasks))

    def refuse(self: Edit, task: Task) -> Task:
        raise EditRefused("no")

    monkeypatch.setattr(Edit, "of", refuse)
    perturb(config(tasks))
    assert views() == {"door/0": ["wrist"]}
