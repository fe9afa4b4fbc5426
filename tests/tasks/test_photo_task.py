"""A photo becomes a task that a world can begin with."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from worldgym.episodes.recording import SourceOptions
from worldgym.errors import InputError
from worldgym.io.images import cut_to_shape
from worldgym.tasks.new_tasks import NewTasks, new_tasks
from worldgym.tasks.task_folder import load_tasks

ORIENTATION = 0x0112


def photo(path: Path, orientation: int = 1) -> Path:
    """64 wide and 32 high as stored; its left half is red."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, :32, 0] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(path, quality=95, exif=exif)
    return path


def made(source: Path, out: Path, size: tuple[int, int] | None = None, **options: object) -> str:
    asked = SourceOptions(instruction="open it", size=size, **options)  # type: ignore[arg-type]
    (name,), skipped = new_tasks(NewTasks(source, out, asked, steps=7))
    assert skipped == {}
    return name


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "webp"])
def test_a_photo_is_turned_upright_and_cut_to_the_worlds_shape(suffix: str, tmp_path: Path) -> None:
    source = photo(tmp_path / f"IMG_1.{suffix}", orientation=6)  # turn clockwise to see it
    assert made(source, tmp_path / "tasks", (16, 16)) == "open-it/IMG_1"
    assert made(source, tmp_path / "tasks", (16, 16)) == "open-it/IMG_1"  # written again
    (task,) = load_tasks(tmp_path / "tasks")
    assert (task.frame.shape, task.instruction, task.steps) == ((16, 16, 3), "open it", 7)
    assert task.frame[:6, :, 0].min() > 200 and task.frame[-6:, :, 0].max() < 60
    assert made(photo(tmp_path / "whole.png"), tmp_path / "whole") == "open-it/whole"
    assert load_tasks(tmp_path / "whole")[0].frame.shape == (32, 64, 3)


def test_another_photo_of_that_name_takes_no_tasks_place(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = photo(tmp_path / "a.jpg"), photo(tmp_path / "other" / "a.jpg", 3)
    assert made(first, tmp_path / "tasks") != made(second, tmp_path / "tasks")


def test_what_is_no_task_is_refused(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="say what is to be done there, with --instruction"):
        new_tasks(NewTasks(source, tmp_path / "tasks"))
    with pytest.raises(InputError, match="there are --instruction and --size alone"):
        made(source, tmp_path / "tasks", camera="front")
    (tmp_path / "torn.jpg").write_bytes(source.read_bytes()[:300])
    with pytest.raises(InputError, match=r"torn\.jpg: cannot be read as a photo .*; export it"):
        made(tmp_path / "torn.jpg", tmp_path / "tasks")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match="16-bit grey pixels"):
        made(tmp_path / "deep.png", tmp_path / "tasks")
    assert not (tmp_path / "tasks").exists()


@given(*[st.integers(1, 40)] * 4)
def test_a_cut_has_the_shape_and_keeps_one_side_whole(h: int, w: int, dh: int, dw: int) -> None:
    cut = cut_to_shape(np.zeros((h, w, 3), np.uint8), (dh, dw))
    height, width = cut.shape[:2]
    assert height == h or width == w
    assert abs(height - width * dh / dw) <= max(1.0, dh / dw)


@pytest.mark.parametrize("name", ["IMG_1.jpg", "IMG_1.JPG", "IMG_1.heic"])
@pytest.mark.parametrize("with_text", [True, False])
def test_a_folder_of_photos_says_how_they_become_tasks(
    name: str, with_text: bool, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    if with_text:
        (tmp_path / "IMG_1.json").write_text('{"instruction": "go"}')
    there = (
        f"{name} is there, but pictures of tasks are PNG files: make a task of it with  worldgym"
    )
    fix = re.escape(there) + f" tasks new .*{re.escape(name)}"
    with pytest.raises(InputError, match=fix):
        load_tasks(tmp_path)
