"""First frames become tasks that load again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_sets import recordings, wrist, write_lerobot_v2, write_mp4_npz, write_rlds

from worldgym.episodes.recording import SourceOptions
from worldgym.errors import InputError
from worldgym.tasks.new_tasks import NewTasks, new_tasks, slug
from worldgym.tasks.task_folder import load_tasks


def test_a_task_an_episode_grouped_by_instruction(tmp_path: Path) -> None:
    write_rlds(tmp_path / "set", recordings(3))
    names, skipped = new_tasks(
        NewTasks(tmp_path / "set", tmp_path / "tasks", partial_credit="It moved.", steps=12)
    )
    tasks = load_tasks(tmp_path / "tasks")
    assert [task.name for task in tasks] == sorted(names) and skipped == {}
    assert [task.group for task in tasks] == [
        "push-the-square-0",
        "push-the-square-0",
        "push-the-square-1",
    ]
    assert {(task.partial_credit, task.steps) for task in tasks} == {("It moved.", 12)}
    assert (
        tasks[0].extras["source"] == "set/train-00000-00000"
        and tasks[0].instruction == "push the square 0"
    )
    assert np.abs(tasks[0].frame.astype(int) - recordings(1)[0].frames[0]).mean() < 3.0


def test_a_dataset_in_a_folder_of_the_same_name_is_another(tmp_path: Path) -> None:
    """And where the same one is given again, by another path too, its tasks are written again."""
    for robot, level in (("a", 50), ("b", 200)):
        some = [replace(r, frames=np.full_like(r.frames, level)) for r in recordings(2)]
        write_rlds(tmp_path / robot / "set", some)
    for source in ("a/set", "b/set", "a/../b/set"):
        new_tasks(NewTasks(tmp_path / source, tmp_path / "tasks"))
    means = sorted(round(float(task.frame.mean())) for task in load_tasks(tmp_path / "tasks"))
    assert len(means) == 4 and means[1] < 60 and means[2] > 190


def test_further_views_come_along(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra [data] is not installed")
    write_lerobot_v2(tmp_path / "set", recordings(2))
    options = SourceOptions(convention="bridge_v2", views=("front", "wrist"))
    new_tasks(NewTasks(tmp_path / "set", tmp_path / "tasks", options))
    tasks = load_tasks(tmp_path / "tasks")
    seen = wrist(recordings(1)[0].frames)[0]
    assert len(tasks) == 2 and all(set(task.others) == {"wrist"} for task in tasks)
    assert np.abs(tasks[0].others["wrist"].astype(int) - seen).mean() < 3.0


def test_an_instruction_for_those_that_have_none(tmp_path: Path) -> None:
    write_mp4_npz(tmp_path / "set", recordings(3))
    with pytest.raises(InputError, match=r"gives no task .*has no instruction"):
        new_tasks(NewTasks(tmp_path / "set", tmp_path / "tasks"))
    (tmp_path / "set" / "train" / "001.mp4").write_bytes(b"")
    names, skipped = new_tasks(
        NewTasks(
            tmp_path / "set", tmp_path / "tasks", SourceOptions(instruction="Push it!"), limit=2
        )
    )
    assert names == ["push-it/test-000", "push-it/train-002"] and list(skipped) == ["train-001"]
    assert all(not reason.startswith(name) for name, reason in skipped.items())
    with pytest.raises(InputError, match=r"001\.mp4"):
        new_tasks(
            NewTasks(
                tmp_path / "set",
                tmp_path / "tasks",
                SourceOptions(instruction="Push it!"),
                strict=True,
            )
        )


def test_no_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 steps leave a policy nothing to do"):
        new_tasks(NewTasks(tmp_path, tmp_path, steps=0))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Put the cup, away.", "put-the-cup-away"),
        ("../../x", "x"),
        ("Öffne!", "offne"),
        (" ?", "task"),
    ],
)
def test_folder_names(text: str, name: str) -> None:
    assert slug(text) == name


def test_folder_names_of_what_does_not_fit_into_them() -> None:
    long = "put the " + "very " * 20
    texts = [
        "打开抽屉",
        "关上抽屉",
        "закрой",
        "open 抽屉",
        "open 门",
        f"{long}red cup away",
        f"{long}blue cup away",
    ]
    names = [slug(text) for text in texts]
    assert len(set(names)) == len(texts) and names == [slug(text) for text in texts]
    assert all(
        len(name) <= 80 and re.fullmatch(r"[a-z0-9-]+", name) and name.strip("-") == name
        for name in names
    )
    assert names[3].startswith("open-") and names[5].startswith("put-the-very-")


def test_episodes_whose_names_fall_together_stay_apart(tmp_path: Path) -> None:
    write_mp4_npz(tmp_path / "set", recordings(1))
    for kind in ("mp4", "npz"):
        data = (tmp_path / "set" / "test" / f"000.{kind}").read_bytes()
        for name in ("run 1", "run_1", "test-000"):
            (tmp_path / "set" / f"{name}.{kind}").write_bytes(data)
    names, _ = new_tasks(
        NewTasks(tmp_path / "set", tmp_path / "tasks", SourceOptions(instruction="Push it!"))
    )
    assert len(set(names)) == 4 == len(load_tasks(tmp_path / "tasks"))


def test_tasks_of_another_dataset_keep_their_place(tmp_path: Path) -> None:
    episodes = recordings(4)
    for folder, chosen in (("one", episodes[:2]), ("two", episodes[2:])):
        write_rlds(tmp_path / folder, chosen)
        for _ in range(2):  # again: the same tasks
            assert len(new_tasks(NewTasks(tmp_path / folder, tmp_path / "tasks"))[0]) == 2
    assert len(load_tasks(tmp_path / "tasks")) == 4
