"""What an HDF5 file of demonstrations holds, found by shape and by the names that published layouts
use.

    robomimic, LIBERO, Isaac Lab   data/demo_0/{actions, obs/...}; attributes success, ep_meta;
                                   groups mask/NAME of demo names
    ACT, ALOHA, RoboTwin           one demonstration a file: action, observations/images/...;
                                   joint_action/vector, observation/...
    ManiSkill                      traj_0/{actions, obs/sensor_data/..., success}

Axes legend: N frames, H height, W width, C channels (1 grey, 3 RGB, 4 RGB and alpha).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from worldgym.episodes.readers.keys import no_picture

if TYPE_CHECKING:
    from h5py import Dataset, File, Group

ACTIONS = ("actions", "action", "joint_action/vector")
STATES = ("states", "observations/qpos")
PREFIXES = ("observations/images/", "obs/")  # left out of a camera's name
ELSEWHERE = ("next_obs", "env_states")
CODED = (b"\xff\xd8\xff", b"\x89PNG")
TEXTS = ("language_instruction", "instruction", "language", "lang", "task_description", "task")
CHANNELS = (1, 3, 4)
MIN_SIDE = 8  # pixels; what is smaller is a matrix
MAX_DEPTH, MAX_ITEMS = 5, 1000  # of groups that are searched

POSE_NAMES: Mapping[
    str, tuple[str, ...]
] = {  # by the last part of the key, as robosuite and LIBERO fill them
    "robot0_eef_pos": ("x", "y", "z"),
    "robot0_eef_quat": ("qx", "qy", "qz", "qw"),
    "ee_pos": ("x", "y", "z"),
    "ee_ori": ("rx", "ry", "rz"),
    "ee_states": ("x", "y", "z", "rx", "ry", "rz"),
}


def demos(file: File) -> list[str]:
    """Paths of the demonstrations below the file's root; none where the file is one itself."""
    import h5py

    data = file.get("data")
    if isinstance(data, h5py.Group):
        return [f"data/{name}" for name in sorted(data, key=_in_order)]
    if any(key in file for key in ACTIONS):
        return []
    groups = [
        name for name in sorted(file, key=_in_order) if isinstance(file.get(name), h5py.Group)
    ]
    return [name for name in groups if any(key in file[name] for key in ACTIONS)]


def _in_order(name: str) -> tuple[int, str]:
    """demo_2 before demo_10."""
    return len(name), name


def arrays(group: Group) -> dict[str, Dataset]:
    """Every dataset below the group by its path, as far as groups are searched."""
    return dict(_walk(group, "", 0, [MAX_ITEMS]))


def _walk(group: Group, path: str, depth: int, left: list[int]) -> Iterator[tuple[str, Dataset]]:
    import h5py

    for name in group:
        left[0] -= 1
        if left[0] < 0:
            return
        item = group.get(name)
        if isinstance(item, h5py.Dataset):
            yield f"{path}{name}", item
        elif isinstance(item, h5py.Group) and depth < MAX_DEPTH and name not in ELSEWHERE:
            yield from _walk(item, f"{path}{name}/", depth + 1, left)


def cameras(group: Group) -> dict[str, Dataset]:
    """By name: arrays that have the shape of images, and rows of JPEG or PNG; first those in
    colour, last what is no picture."""
    found: dict[str, Dataset] = {}
    for path, data in arrays(group).items():
        if shows_frames(path, data):
            short = next(
                (path.removeprefix(prefix) for prefix in PREFIXES if path.startswith(prefix)), path
            )
            found[path if short in found else short] = data
    return {
        name: found[name]
        for name in sorted(found, key=lambda name: (_rank(name, found[name]), name))
    }


def _rank(name: str, data: Dataset) -> int:
    return 2 if aside(name, data) else int(data.ndim in (3, 4) and _single(data))


def shows_frames(path: str, data: Dataset) -> bool:
    shape: tuple[int, ...] = data.shape or ()
    if len(shape) == 4:
        return (shape[3] in CHANNELS and min(shape[1:3]) >= MIN_SIDE) or (
            shape[1] in CHANNELS and min(shape[2:]) >= MIN_SIDE
        )
    if len(shape) == 3:
        return data.dtype.kind in "uf" and min(shape[1:]) >= 2 * MIN_SIDE
    return path.startswith(PREFIXES[0]) or _coded(data) if is_coded(data) else False


def is_coded(data: Dataset) -> bool:
    """Whether a frame may be a row of bytes, padded or not."""
    shape: tuple[int, ...] = data.shape or ()
    return (len(shape) == 2 and data.dtype == np.uint8) or (
        len(shape) == 1 and data.dtype.kind in "SO"
    )


def _coded(data: Dataset) -> bool:
    """Whether the first row is a JPEG or PNG."""
    return bool(data.shape[0]) and row_bytes(data[0]).startswith(CODED)


def row_bytes(row: Any) -> bytes:
    """Of a frame in a row: bytes, or numbers from 0 to 255."""
    if isinstance(row, (bytes, np.bytes_)):
        return bytes(row)
    return np.asarray(row).tobytes() if isinstance(row, np.ndarray) else b""


def aside(name: str, data: Dataset) -> bool:
    """Whether a camera shows depth or segments, by its name or its numbers."""
    return no_picture(name) or (
        data.ndim in (3, 4) and data.dtype.kind in "uf" and data.dtype != np.uint8 and _single(data)
    )


def _single(data: Dataset) -> bool:
    return data.ndim == 3 or 1 in (data.shape[1], data.shape[3])


def no_pose(key: str) -> str:
    """What the usual states of a layout are, where that is no pose."""
    if key == "states":
        return "this layout keeps the whole simulator's state there"
    return "they are the positions of the joints" if key.endswith("qpos") else ""


def names_of(keys: Mapping[str, int]) -> tuple[str, ...]:
    """keys: how many numbers each has. () where nothing is known of any of them."""
    known = [POSE_NAMES.get(_last(key), ()) for key in keys]
    strange = [bool(re.search("joint|quat|qpos|qvel|gripper", _last(key))) for key in keys]
    if not any(known) and not any(strange):
        return ()
    out: list[str] = []
    for (key, count), names in zip(keys.items(), known, strict=True):
        out += names if len(names) == count else [f"{_last(key)} {i}" for i in range(count)]
    return tuple(out)


def _last(key: str) -> str:
    return key.rpartition("/")[2]


def succeeded(group: Group) -> bool | None:
    """By the attribute or the array success, or by a reward of 1 among those of 0 and 1."""
    import h5py

    told = group.attrs.get("success")
    if told is not None and np.ndim(told) == 0 and str(told).lower() in ("true", "false", "0", "1"):
        return str(told).lower() in ("true", "1")
    for name in ("success", "rewards"):
        data = group.get(name)
        if (
            isinstance(data, h5py.Dataset)
            and data.ndim <= 1
            and data.dtype.kind in "biuf"
            and data.size < 2**20
        ):
            values = np.atleast_1d(data[()])
            if set(np.unique(values).tolist()) <= {0, 1} and (values.any() or name == "success"):
                return bool(values.any())
    return None


def texts(group: Group) -> list[str]:
    """What the demonstration is called in its arrays and attributes, in the group's or the file's:
    one text, or one per frame."""
    import h5py

    for name in TEXTS:
        data = group.get(name)
        if (
            isinstance(data, h5py.Dataset)
            and data.dtype.kind in "SO"
            and data.ndim <= 1
            and data.size < 2**16
        ):
            return [_text(value) for value in np.atleast_1d(data[()]).tolist()]
        if (told := group.attrs.get(name)) is not None and isinstance(told, (str, bytes)):
            return [_text(told)]
    sources = (
        (group.attrs.get("ep_meta"), "lang"),
        (group.parent.attrs.get("problem_info"), "language_instruction"),
    )
    return next(
        filter(None, ([_from_json(data, key)] for data, key in sources if _from_json(data, key))),
        [],
    )


def _text(value: Any) -> str:
    return (
        value.decode("utf-8", "replace")
        if isinstance(value, bytes)
        else value
        if isinstance(value, str)
        else ""
    )


def _from_json(data: Any, key: str) -> str:
    try:
        return str(json.loads(_text(data) or "{}").get(key) or "")
    except (ValueError, AttributeError, RecursionError):
        return ""  # an instruction is a bonus: robomimic itself has none


def masks(file: File, demo: str) -> list[str]:
    """Names of the groups of demonstrations, such as "train", that this one belongs to."""
    import h5py

    group = file.get("mask")
    if not isinstance(group, h5py.Group):
        return []
    lists = {name: group.get(name) for name in group}
    return [
        name
        for name, data in lists.items()
        if isinstance(data, h5py.Dataset)
        and data.ndim == 1
        and _last(demo) in map(_text, data[:].tolist())
    ]
