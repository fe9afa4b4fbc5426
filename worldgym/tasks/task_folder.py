"""Tasks from a folder, and the table of their true results.

    TASKS/GROUP/NAME.png     the initial frame, 8 bits a channel, RGB
    TASKS/GROUP/NAME.VIEW.png   optional: that of a further camera, e.g. NAME.wrist.png
    TASKS/GROUP/NAME.json    {"instruction": "open the drawer", "partial_credit_criteria": "...",
                             "steps": 40}
    TASKS/truth.csv          optional: policy, task, success; one line per policy and task

Only `instruction` is required. A task is named by its path ("drawer-open/10003") and belongs to the
group of its folder; a flat folder makes every task its own group, unless the JSON names one. Other
keys: `success_criteria`, `tags` (a list), `state` (the robot's state in the initial frame: {"x":
0.3, "gripper_open": 1, "joint_0": 0.2}), and of an edited task `nominal` (its unedited twin),
`axis` (what differs) and `goal` ("same" or "new"); what remains goes to `Task.extras`. The layout
of the released harness loads unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from worldgym.actions.pose import JOINT, NUMBERS, QUATERNION
from worldgym.errors import InputError
from worldgym.io.bundled import bundled
from worldgym.io.csv_tables import read_csv
from worldgym.io.files import read_json, unreadable
from worldgym.io.images import open_picture
from worldgym.io.records import field_types, from_mapping, located
from worldgym.io.text import clean
from worldgym.types import Frames, Task

DEFAULT_STEPS = 40
OTHER_PICTURES = (".jpg", ".jpeg", ".webp", ".bmp", ".heic", ".gif", ".tif", ".tiff")
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


TRUTH_VALUES = {"1": True, "true": True, "0": False, "false": False}


def load_tasks(folder: str | Path) -> list[Task]:
    """Every task below `folder` (or of the bundle, for "bundled"), sorted by name.

    InputError for an empty folder, an unpaired file, a bad PNG or JSON.
    """
    folder = bundled(folder, "tasks")
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; tasks are a folder of NAME.png and NAME.json pairs"
        )
    images, texts = _stems(folder, ".png"), _stems(folder, ".json")
    further = {name for name in images - texts if _main_of(name) in images & texts}
    images -= further
    if not images and not texts:
        photo = _photo(folder.rglob("*"))
        raise InputError(
            f"{folder}: holds no task; " + (photo or "put NAME.png and NAME.json pairs there")
        )
    if unpaired := sorted(images ^ texts):
        present, absent = (".png", ".json") if unpaired[0] in images else (".json", ".png")
        name = Path(unpaired[0]).name
        place = folder / unpaired[0]
        beside = (path for path in place.parent.iterdir() if path.stem == place.name)
        if absent == ".png" and (photo := _photo(beside)):
            raise InputError(f"{place}{present}: has no {name}.png beside it; {photo}")
        raise InputError(
            f"{folder / unpaired[0]}{present}: has no {name}{absent} beside it; add that file or "
            f"remove this one"
        )
    others: dict[str, list[str]] = {}
    for name in sorted(further):
        others.setdefault(_main_of(name), []).append(name)
    tasks = [_load_task(folder, name, others.get(name, ())) for name in sorted(images)]
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise InputError(
            f"{folder}: two files would both be called {double} without what no file or page can "
            f"hold; rename one"
        )
    return tasks


def _photo(paths: Iterable[Path]) -> str:
    """What to do with the first picture of another kind among the paths; "" where there is none."""
    found = min((path for path in paths if path.suffix.lower() in OTHER_PICTURES), default=None)
    if found is None:
        return ""
    return (
        f"{found.name} is there, but pictures of tasks are PNG files: make a task of it with  "
        f'worldgym tasks new {found} --instruction "..." --size HEIGHT WIDTH --out FOLDER'
    )


def check_frames(tasks: Sequence[Task], frame_shape: tuple[int, int, int]) -> None:
    """InputError naming the first task whose initial frame is not of the world's `frame_shape`, (H,
    W, 3)."""
    for task in tasks:
        if task.frame.shape != frame_shape:
            (height, width), (world_height, world_width) = task.frame.shape[:2], frame_shape[:2]
            raise InputError(
                f"task {task.name}: its image is {width}x{height}, but the world draws "
                f"{world_width}x{world_height}; "
                f"resize the PNG or choose a world of its size"
            )


def load_truth(path: Path) -> dict[tuple[str, str], bool]:
    """The table of true results, {(policy, task name): success}, from a CSV with columns policy,
    task, success.

    Success is 0, 1, true or false; further columns are ignored. InputError names the line of a
    wrong row."""
    truth: dict[tuple[str, str], bool] = {}
    for line, row in read_csv(path, ("policy", "task", "success")):
        key = (row["policy"], row["task"])
        success = TRUTH_VALUES.get(row["success"].lower())
        if not all(key):
            raise InputError(
                f"{path}, line {line}: policy or task is empty; fill it in or remove the line"
            )
        if success is None:
            raise InputError(
                f'{path}, line {line}: success is "{row["success"]}"; write 0, 1, true or false'
            )
        if key in truth:
            raise InputError(
                f"{path}, line {line}: policy {key[0]} on task {key[1]} appears twice; keep one "
                f"line"
            )
        truth[key] = success
    return truth


def _stems(folder: Path, suffix: str) -> set[str]:
    """Paths below `folder` without suffix, hidden files and folders left out."""
    names = {
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob(f"*{suffix}")
    }
    return {name for name in names if not any(part.startswith(".") for part in name.split("/"))}


@dataclass(frozen=True)
class TaskFile:
    """What a task's JSON may hold; texts may be null, and other keys are the task's `extras`."""

    instruction: str | None = None
    partial_credit_criteria: str | None = None
    partial_credit: str | None = None
    success_criteria: str | None = None
    steps: int = DEFAULT_STEPS
    group: str | None = None
    tags: tuple[str, ...] = ()
    state: Mapping[str, float] = field(default_factory=dict)
    nominal: str | None = None
    axis: str | None = None
    goal: Literal["", "same", "new"] | None = None

    def __post_init__(self) -> None:
        if not (self.instruction or "").strip():
            raise ValueError(
                'has no instruction; add "instruction": "what the robot is asked to do"'
            )
        if self.steps < 1:
            raise ValueError(f'"steps" is {self.steps}; write a whole number of actions, 1 or more')
        if unknown := [n for n in self.state if n not in NUMBERS and not JOINT.fullmatch(n)]:
            raise ValueError(
                f'"state" has "{unknown[0]}"; it may name {", ".join(NUMBERS)}, and joints, '
                f"grippers and fingers (joint_0, left_gripper, finger_left)"
            )
        if not all(map(math.isfinite, self.state.values())):
            raise ValueError(f'"state" is {dict(self.state)}; its numbers are finite')
        if not any(self.state.get(name, 1.0) for name in QUATERNION):
            raise ValueError(
                '"state" has a quaternion of zeros, which is no rotation; write one of length 1'
            )


def _main_of(name: str) -> str:
    """ "door/1.wrist" => "door/1", whose view "wrist" it is."""
    return name.rpartition(".")[0]


def _load_task(folder: Path, name: str, further: Sequence[str]) -> Task:
    """further: names of the pictures of its other views."""
    path = folder / f"{name}.json"
    data = read_json(path, "a task")
    with located(path):
        file = from_mapping(TaskFile, data, more=True)
    called = clean(name)
    known = field_types(TaskFile)
    return Task(
        name=called,
        group=_stripped(file.group) or (called.rpartition("/")[0] or called),
        frame=read_png(folder / f"{name}.png"),
        instruction=_stripped(file.instruction),
        steps=file.steps,
        partial_credit=_stripped(file.partial_credit_criteria) or _stripped(file.partial_credit),
        tags=file.tags,
        nominal=_stripped(file.nominal) or None,
        axis=_stripped(file.axis),
        new_goal=file.goal == "new",
        success=_stripped(file.success_criteria),
        extras={key: value for key, value in data.items() if key not in known},
        state={name: float(value) for name, value in file.state.items()},
        others={
            clean(other.rpartition(".")[2]): read_png(folder / f"{other}.png") for other in further
        },
    )


def _stripped(text: str | None) -> str:
    return (text or "").strip()


def read_png(path: Path) -> Frames:
    """uint8 [H, W, 3]."""
    try:
        with path.open("rb") as file:
            if file.read(len(PNG_MAGIC)) != PNG_MAGIC:
                raise unreadable(
                    path, "not a PNG image; convert it; renaming the file is not enough"
                )
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    image = open_picture(path, str(path), ("PNG",), "a PNG", "export it again")
    rgba = np.array(image.convert("RGBA"))
    if (rgba[..., 3] < 255).any():
        raise InputError(f"{path}: has transparent pixels; save it as plain 8-bit RGB")
    return rgba[..., :3]
