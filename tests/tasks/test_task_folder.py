"""Task folders load as written, and everything wrong in one gets one sentence that names the
file."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from worldgym.errors import InputError
from worldgym.io.images import MAX_SIDE
from worldgym.tasks.task_digest import tasks_digest
from worldgym.tasks.task_folder import check_frames, load_tasks, load_truth
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Frames, Task

FRAME = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)

AddTask = Callable[..., Path]


def png(frame: Frames = FRAME, mode: str | None = None) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(frame)
    (image.convert(mode) if mode else image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def add(tmp_path: Path) -> AddTask:
    """add(name, image=bytes, **json): writes one task and returns the path of its PNG."""

    def write(name: str, image: bytes = png(), **data: object) -> Path:
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
        path.with_name(f"{path.name[:-4]}.json").write_text(
            json.dumps({"instruction": "open the drawer", **data})
        )
        return path

    return write


def test_the_released_layout_loads(tmp_path: Path, add: AddTask) -> None:
    add(
        "pick_and_place/trial_002",
        instruction="put the carrot on the plate",
        partial_credit_criteria="Pick up the carrot.",
    )
    add("pick_and_place/trial_001", instruction="put the cup away")
    add("nested/subtask/frame")
    (tmp_path / "README.md").write_text("notes are ignored")
    tasks = load_tasks(tmp_path)
    assert [task.name for task in tasks] == [
        "nested/subtask/frame",
        "pick_and_place/trial_001",
        "pick_and_place/trial_002",
    ]
    assert [task.group for task in tasks] == ["nested/subtask", "pick_and_place", "pick_and_place"]
    assert (tasks[2].instruction, tasks[2].partial_credit) == (
        "put the carrot on the plate",
        "Pick up the carrot.",
    )
    assert (tasks[1].partial_credit, tasks[1].steps, tasks[1].tags, tasks[1].nominal) == (
        "",
        40,
        (),
        None,
    )
    np.testing.assert_array_equal(tasks[0].frame, FRAME)
    assert tasks[0].frame.dtype == np.uint8 and tasks[0].frame.flags.writeable


def test_every_field_is_read(tmp_path: Path, add: AddTask) -> None:
    fields = {
        "steps": 12,
        "group": "drawers",
        "tags": ["distractor"],
        "nominal": "drawer",
        "partial_credit": "it moves",
    }
    add("drawer.v2", **fields, seed=10_003, state={"x": 0.3, "left_joint_0": 1})
    (task,) = load_tasks(tmp_path)
    assert (task.name, task.group, task.steps) == ("drawer.v2", "drawers", 12)
    assert (task.tags, task.nominal, task.partial_credit) == (("distractor",), "drawer", "it moves")
    assert task.extras == {"seed": 10_003} and task.state == {"x": 0.3, "left_joint_0": 1.0}


def test_an_edit_says_what_differs(tmp_path: Path, add: AddTask) -> None:
    add("dim/a", nominal="a", axis="lighting", goal="new", success_criteria="it is shut")
    (task,) = load_tasks(tmp_path)
    assert (task.nominal, task.axis, task.new_goal, task.success) == (
        "a",
        "lighting",
        True,
        "it is shut",
    )
    add("dim/a", nominal="a", goal="other")
    with pytest.raises(
        InputError, match="\"goal\" holds 'other'; it must be one of '', 'same', 'new'"
    ):
        load_tasks(tmp_path)


def test_a_flat_task_is_its_own_group(tmp_path: Path, add: AddTask) -> None:
    add("b")
    add("a")
    assert [(task.name, task.group) for task in load_tasks(tmp_path)] == [("a", "a"), ("b", "b")]


def test_hidden_files_are_left_out(tmp_path: Path, add: AddTask) -> None:
    add("a")
    add(".trash/b")
    (tmp_path / ".stray.png").write_bytes(b"")
    assert [task.name for task in load_tasks(tmp_path)] == ["a"]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_other_forms_of_png_become_rgb(tmp_path: Path, add: AddTask, mode: str) -> None:
    add("a", png(mode=mode))
    expected = np.asarray(Image.open(io.BytesIO(png(mode=mode))).convert("RGB"))
    np.testing.assert_array_equal(load_tasks(tmp_path)[0].frame, expected)


def test_a_missing_or_empty_folder_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent: no such folder"):
        load_tasks(tmp_path / "absent")
    with pytest.raises(
        InputError, match=r"holds no task; put NAME\.png and NAME\.json pairs there"
    ):
        load_tasks(tmp_path)


def test_an_unpaired_file_gets_one_sentence(tmp_path: Path, add: AddTask) -> None:
    image = add("group/a")
    image.with_suffix(".json").unlink()
    with pytest.raises(
        InputError,
        match=r"group/a\.png: has no a\.json beside it; add that file or remove this one",
    ):
        load_tasks(tmp_path)
    add("group/a").unlink()
    with pytest.raises(InputError, match=r"group/a\.json: has no a\.png beside it"):
        load_tasks(tmp_path)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"instruction": None}, 'has no instruction; add "instruction"'),
        ({"instruction": "  "}, "has no instruction"),
        ({"instruction": 5}, '"instruction" holds 5; it must be a text'),
        ({"steps": 0}, '"steps" is 0; write a whole number of actions, 1 or more'),
        ({"steps": 1.5}, '"steps" holds 1.5; it must be a whole number'),
        ({"steps": True}, '"steps" holds True'),
        ({"steps": None}, '"steps" holds None'),
        ({"tags": "distractor"}, r"\"tags\" holds 'distractor'; it must be a list of texts"),
        ({"tags": [1]}, r'"tags\[0\]" holds 1'),
        (
            {"partial_credit_criteria": ["a"]},
            '"partial_credit_criteria" holds .*; it must be a text',
        ),
        ({"state": [0.3]}, r'"state" holds \[0.3\]; it must be a table'),
        ({"state": {"x": "far"}}, "\"state.x\" holds 'far'; it must be a number"),
        ({"state": {"x": True}}, '"state.x" holds True'),
        ({"state": {"qx": 0, "qy": 0, "qz": 0, "qw": 0}}, '"state" has a quaternion of zeros'),
        ({"state": {"elbow": 1}}, '"state" has "elbow"; it may name x, y, z'),
    ],
)
def test_a_wrong_field_gets_one_sentence(
    tmp_path: Path, add: AddTask, data: dict[str, object], complaint: str
) -> None:
    add("a", **data)
    with pytest.raises(InputError, match=rf"a\.json: {complaint}"):
        load_tasks(tmp_path)


def test_invalid_json_gets_one_sentence(tmp_path: Path, add: AddTask) -> None:
    add("a").with_suffix(".json").write_text("{instruction: open}")
    with pytest.raises(InputError, match=r"a\.json: not valid JSON"):
        load_tasks(tmp_path)


def test_a_jpeg_called_png_gets_one_sentence(tmp_path: Path, add: AddTask) -> None:
    buffer = io.BytesIO()
    Image.fromarray(FRAME).save(buffer, "JPEG")
    add("a", buffer.getvalue())
    with pytest.raises(InputError, match=r"a\.png: not a PNG image; convert it"):
        load_tasks(tmp_path)


def test_a_huge_png_is_refused_from_its_header(tmp_path: Path, add: AddTask) -> None:
    facts = b"IHDR" + struct.pack(">IIBBBBB", MAX_SIDE + 1, 8, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + facts + struct.pack(">I", zlib.crc32(facts))
    add("a", b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I4s", 9, b"IDAT"))
    with pytest.raises(
        InputError, match=r"a\.png: 4097x8 pixels, more than 4096 a side; make it smaller"
    ):
        load_tasks(tmp_path)


def test_transparent_and_16_bit_images_are_refused(tmp_path: Path, add: AddTask) -> None:
    see_through = np.dstack([FRAME, np.full(FRAME.shape[:2], 100, np.uint8)])
    deep = io.BytesIO()
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(deep, "PNG")
    for image, told in ((png(see_through), "transparent"), (deep.getvalue(), "16-bit grey")):
        add("a", image)
        with pytest.raises(InputError, match=f"{told} pixels; save it as plain 8-bit RGB"):
            load_tasks(tmp_path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_cannot_be_used_are_refused(tmp_path: Path, add: AddTask, number: str) -> None:
    add("a")
    (tmp_path / "a.json").write_text(f'{{"instruction": "open", "weight": {number}}}')
    with pytest.raises(InputError, match=r'a\.json: "weight" holds .*; it must be a finite number'):
        load_tasks(tmp_path)


@settings(max_examples=80, deadline=None)
@given(cut=st.integers(0, len(png()) - 1))
def test_a_truncated_png_is_refused_or_whole(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without its last bytes, which hold no pixels, a PNG may still be read; then nothing of it is
    lost."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "a.png").write_bytes(png()[:cut])
    (folder / "a.json").write_text('{"instruction": "open"}')
    try:
        (task,) = load_tasks(folder)
    except InputError as error:
        assert "a.png" in str(error)
    else:
        np.testing.assert_array_equal(task.frame, FRAME)


def test_a_flipped_bit_is_noticed(tmp_path: Path, add: AddTask) -> None:
    image = bytearray(png())
    image[len(image) // 2] ^= 1
    add("a", bytes(image))
    with pytest.raises(InputError, match="cannot be read as a PNG"):
        load_tasks(tmp_path)


def test_frames_must_have_the_worlds_size(tmp_path: Path, add: AddTask) -> None:
    add("group/a")
    tasks = load_tasks(tmp_path)
    check_frames(tasks, (12, 16, 3))
    with pytest.raises(
        InputError,
        match=r"task group/a: its image is 16x12, but the world draws 96x96; resize the PNG",
    ):
        check_frames(tasks, (96, 96, 3))


def test_the_truth_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(
        "\ufeffpolicy,task,group,success,first_success_step\n"
        "expert,a/1,a,1,12\nexpert,a/2,a,False,\nrandom, a/1 ,a,0,\n"
    )
    assert load_truth(path) == {
        ("expert", "a/1"): True,
        ("expert", "a/2"): False,
        ("random", "a/1"): False,
    }


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", ": the file is empty"),
        ("\n", ": lacks the column policy; its first line must name policy, task, success"),
        ("policy,task\np,a\n", ": lacks the column success"),
        (
            "policy,task,success\np,a,1\np,b,maybe\n",
            ', line 3: success is "maybe"; write 0, 1, true or false',
        ),
        ("policy,task,success\np,a\n", ', line 2: success is ""'),
        ("policy,task,success\n,a,1\n", ", line 2: policy or task is empty"),
        (
            "policy,task,success\np,a,1\np,a,0\n",
            ", line 3: policy p on task a appears twice; keep one line",
        ),
    ],
)
def test_a_wrong_truth_table_gets_one_sentence(
    tmp_path: Path, content: str, complaint: str
) -> None:
    (tmp_path / "truth.csv").write_text(content)
    with pytest.raises(InputError, match=rf"truth\.csv{complaint}"):
        load_truth(tmp_path / "truth.csv")


def test_an_unreadable_truth_table_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a table"):
        load_truth(tmp_path / "absent.csv")
    (tmp_path / "truth.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as a table"):
        load_truth(tmp_path / "truth.csv")


def test_odd_names_and_texts_are_cleaned(tmp_path: Path, add: AddTask) -> None:
    # a file name that is no UTF-8
    add("caf\udce9", instruction="open\ud800 the\x1b[31m door", tags=["a\udfff"])
    (task,) = load_tasks(tmp_path)
    assert (task.name, task.group) == ("caf\ufffd", "caf\ufffd")
    assert (task.instruction, task.tags) == ("open\ufffd the[31m door", ("a\ufffd",))
    add("caf\udcea")
    with pytest.raises(InputError, match="two files would both be called caf\ufffd"):
        load_tasks(tmp_path)


def test_further_views_lie_beside_the_main_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one, wrist = rng.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    task = Task("door/1.5", "door", one, "open it", 3, others={"wrist": wrist})
    write_task(tmp_path, task)
    (found,) = load_tasks(tmp_path)
    assert (found.name, found.group, set(found.others)) == ("door/1.5", "door", {"wrist"})
    np.testing.assert_array_equal(found.others["wrist"], wrist)
    assert tasks_digest([found]) != tasks_digest([replace(found, others={})])
    (tmp_path / "door" / "2.wrist.png").write_bytes((tmp_path / "door" / "1.5.png").read_bytes())
    with pytest.raises(InputError, match=r"2\.wrist\.png: has no 2\.wrist\.json"):
        load_tasks(tmp_path)
