"""Edits as described in a file: what they make of a task, byte for byte the same again, and what is
wrong in one is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.tasks.edits.edit_file import read_edits
from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Task

FRAME = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
TASK = Task(
    "drawer/1", "drawer", FRAME, "open the drawer", 7, "half open", ("a",), extras={"source": "x"}
)
EDITS = """
seed = 3

[masks]
left = { box = [0, 0, 0.5, 1] }

[[edit]]
name = "messy"
axis = "distractor"
steps = [
  { kind = "add", object = "mug", at = [0.7, 0.8], behind = "left" },
  { kind = "noise", sd = 8 },
  { kind = "typo" },
]

[[edit]]
name = "shut"
only = ["drawer/*"]
success = "the drawer is shut"
steps = [{ kind = "reword", to = "close the drawer" }]

[[edit]]
name = "all"
steps = [
  { kind = "remove", mask = { box = [0.1, 0.1, 0.2, 0.2] } },
  { kind = "recolour", mask = "left", turn = 90 },
  { kind = "swap", first = { box = [0, 0, 0.2, 0.2] }, second = { box = [0.6, 0.6, 0.8, 0.9] } },
  { kind = "picture", show = "can", corners = [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9], [0.1, 0.9]] },
  { kind = "lighting", gain = 0.8, kelvin = 4000 },
  { kind = "background", mask = { box = [0, 0, 1, 0.1] }, to = "#ffffff" },
  { kind = "camera", shift = [0.02, 0.0], zoom = 1.1 },
  { kind = "blur", sigma = 0.7 },
  { kind = "paraphrase" },
]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "edits.toml"
    file.write_text(EDITS)
    return file


def test_an_edited_task_knows_its_twin(path: Path) -> None:
    messy, shut, _ = read_edits(path)
    task = messy.of(TASK)
    assert (task.name, task.group, task.nominal, task.axis) == (
        "messy/drawer/1",
        "messy/drawer",
        "drawer/1",
        "distractor",
    )
    assert (task.steps, task.partial_credit, task.tags, task.new_goal) == (
        7,
        "half open",
        ("a",),
        False,
    )
    assert (
        task.frame.shape == FRAME.shape
        and (task.frame != FRAME).any()
        and sorted(task.instruction) == sorted(TASK.instruction)
    )
    assert task.extras["source"] == "x" and task.extras["edit"]["steps"][0]["object"] == "mug"
    other = shut.of(TASK)
    assert (other.instruction, other.success, other.new_goal) == (
        "close the drawer",
        "the drawer is shut",
        True,
    )
    # the old criterion is of the old goal
    assert other.partial_credit == "" and other.axis == "reword"
    np.testing.assert_array_equal(other.frame, FRAME)
    assert (
        shut.fits(TASK)
        and not shut.fits(replace(TASK, name="door/1"))
        and messy.fits(replace(TASK, name="door/1"))
    )


def test_an_edited_picture_leaves_its_other_views_behind(path: Path) -> None:
    both = replace(TASK, others={"wrist": TASK.frame})
    for edit in read_edits(path):
        assert set(edit.of(both).others) == (set() if edit.image else {"wrist"})


def test_a_repeat_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        for edit in read_edits(path):
            write_task(tmp_path / out, edit.of(TASK))
    files = sorted(file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 6
    assert all(
        (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
        for file in files
    )
    loaded = {task.name: task for task in load_tasks(tmp_path / "one")}
    again = read_edits(path)[1].of(TASK)
    assert {**vars(loaded["shut/drawer/1"]), "frame": None} == {**vars(again), "frame": None}


def test_randomness_is_of_the_edit_and_the_task(path: Path) -> None:
    messy = read_edits(path)[0]
    same = messy.of(TASK).frame
    assert not np.array_equal(messy.of(replace(TASK, name="drawer/2")).frame, same)
    path.write_text(EDITS.replace("seed = 3", "seed = 4"))
    assert not np.array_equal(read_edits(path)[0].of(TASK).frame, same)


def test_a_step_that_cannot_be_done_names_edit_and_task(path: Path) -> None:
    path.write_text(
        '[[edit]]\nname = "gone"\nsteps = [{ kind = "remove", mask = { hue = [0, 1], saturation = '
        "[2, 3] } }]"
    )
    with pytest.raises(InputError, match=r"edit gone of task drawer/1: the mask covers no pixel"):
        read_edits(path)[0].of(TASK)
    with pytest.raises(InputError, match=r"its image is 9x9; give one of 16"):
        read_edits(path)[0].of(replace(TASK, frame=FRAME[:9, :9]))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            'kind = "add"',
            'kind = "ad"',
            r'no kind of edit "ad" .did you mean add\?.: one of add, remove',
        ),
        ('object = "mug", ', "", '"object" is missing'),
        ("sd = 8", "sigma = 8", '"sigma" is unknown'),
        ("sd = 8", "sd = true", '"sd" holds True; it must be a number'),
        ("at = [0.7, 0.8]", "at = [0.7]", "a list of 2"),
        ('behind = "left"', 'behind = "right"', 'no mask is called "right"'),
        ('name = "shut"', 'name = "messy"', 'two edits are called "messy"'),
        ('name = "shut"', 'name = "../up"', "names a folder"),
        (
            'only = ["drawer/*"]',
            'only = "drawer"',
            r'"edit\[1\].only" holds .*; it must be a list of texts',
        ),
        ("seed = 3", "seed = 'x'", '"seed"'),
        ("seed = 3", "seeds = 3", '"seeds" is unknown'),
        ("[masks]", "[mask]", '"mask" is unknown'),
        ('steps = [{ kind = "reword", to = "close the drawer" }]', "steps = []", "no steps"),
        (
            'steps = [{ kind = "reword", to = "close the drawer" }]',
            'steps = ["blur"]',
            r'"edit\[1\].steps\[0\]" holds .*; it must be a table',
        ),
        ("seed = 3", "seed = ", "not valid TOML"),
    ],
)
def test_a_wrong_description_is_named(path: Path, old: str, new: str, fault: str) -> None:
    assert old in EDITS
    path.write_text(EDITS.replace(old, new))
    with pytest.raises(InputError, match=fault) as error:
        read_edits(path)
    assert str(path) in str(error.value)


def test_no_file_and_no_edit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_edits(tmp_path / "none.toml")
    (tmp_path / "empty.toml").write_text("seed = 1")
    with pytest.raises(InputError, match=r"no \[\[edit\]\]"):
        read_edits(tmp_path / "empty.toml")
