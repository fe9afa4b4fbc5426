"""What the folder meta/ of a LeRobot dataset says: version, features, episodes, tasks."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from worldgym.episodes.readers.keys import no_picture
from worldgym.episodes.readers.parquet import read_parquet
from worldgym.episodes.readers.paths import inside
from worldgym.errors import InputError
from worldgym.io.files import unreadable

VERSIONS = ("v2.0", "v2.1", "v3.0")
MAX_LENGTH = 20_000  # frames of an episode
IMAGES = ("video", "image")

PLACES = re.compile(r"\{(\w+)(?::0?(\d{1,2})d)?\}")
PATHS = {
    "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


@dataclass(frozen=True)
class Entry:
    """Row of the list of episodes. place: what the path templates ask for, and where the episode
    begins in shared files.

    before, total: frames of the episodes before it in its video file, and of all episodes of that
    file."""

    index: int
    length: int
    tasks: tuple[str, ...]
    place: Mapping[str, float]
    success: bool | None = None
    before: int = 0
    total: int = 0


def entries_v2(root: Path, chunk: int) -> dict[str, Entry]:
    """By name, of meta/episodes.jsonl. chunk: episodes per folder."""
    entries = {}
    for path, row in _lines(root / "meta" / "episodes.jsonl", "list of episodes"):
        try:
            index = int(row["episode_index"])
            tasks = tuple(str(task) for task in row["tasks"])
            place = {"episode_chunk": index // chunk, "episode_index": index}
            length = _length(row["length"], path)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"{path}: not a list of episodes ({error}); download meta/ again"
            ) from error
        entries[f"episode_{index:06d}"] = Entry(index, length, tasks, place, total=length)
    return entries


def entries_v3(root: Path, camera: str, filmed: bool) -> dict[str, Entry]:
    """By name, of meta/episodes/. filmed: whether the camera's frames lie in video files."""
    video = f"videos/{camera}"
    entries = {}
    columns = [
        "episode_index",
        "tasks",
        "length",
        "data/chunk_index",
        "data/file_index",
        "dataset_from_index",
    ]
    if filmed:
        columns += [f"{video}/chunk_index", f"{video}/file_index", f"{video}/from_timestamp"]
    files = sorted((root / "meta" / "episodes").rglob("*.parquet"))
    if not files:
        raise InputError(f"{root}/meta/episodes: holds no list of episodes; download meta/ again")
    for path in files:
        try:
            for row in read_parquet(path, [*columns, "success"]).to_pylist():
                index = int(row["episode_index"])
                length = _length(row["length"], path)
                place = {key: float(row[key]) for key in columns[3:]}
                entries[f"episode_{index:06d}"] = Entry(
                    index, length, _texts(row["tasks"]), place, row.get("success")
                )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"{path}: not a list of episodes ({error}); download meta/ again"
            ) from error
    return _counted(entries, video) if filmed else entries


def _counted(entries: dict[str, Entry], video: str) -> dict[str, Entry]:
    """With the number of frames before each in its video file, and of all in it."""
    files: dict[tuple[float, float], list[str]] = defaultdict(list)
    for name, entry in entries.items():
        files[entry.place[f"{video}/chunk_index"], entry.place[f"{video}/file_index"]].append(name)
    for names in files.values():
        names.sort(key=lambda name: entries[name].place[f"{video}/from_timestamp"])
        total = sum(entries[name].length for name in names)
        before = 0
        for name in names:
            entries[name] = replace(entries[name], before=before, total=total)
            before += entries[name].length
    return entries


def task_texts(root: Path) -> dict[int, str]:
    """By number, of meta/tasks.jsonl or meta/tasks.parquet (where some versions keep the text as an
    index); {} without both."""
    jsonl, parquet = root / "meta" / "tasks.jsonl", root / "meta" / "tasks.parquet"
    rows: list[dict[str, Any]] = []
    if jsonl.exists():
        rows = [row for _, row in _lines(jsonl, "list of tasks")]
    elif parquet.exists():
        rows = read_parquet(parquet, ["task_index", "task", "__index_level_0__"]).to_pylist()
    try:
        return {
            int(row["task_index"]): str(row.get("task") or row.get("__index_level_0__") or "")
            for row in rows
        }
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{root}/meta: its list of tasks is damaged ({error}); download meta/ again"
        ) from error


def _lines(path: Path, what: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The objects of a file of JSON lines."""
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"a line holds {type(row).__name__}")
                yield path, row
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(path, f"not a {what} ({error}); download meta/ again") from error


def kind(feature: object) -> str:
    """Its dtype: "video", "image", "float32", ..."""
    return str(feature.get("dtype")) if isinstance(feature, dict) else ""


def shows_depth(key: str, feature: Mapping[str, Any]) -> bool:
    """What the feature states, else what its number of channels or its name says."""
    for info in (feature.get("info"), feature.get("video_info"), feature):
        if isinstance(info, dict):
            for name in ("video.is_depth_map", "is_depth_map"):
                if isinstance(info.get(name), bool):
                    return bool(info[name])
    shape = feature.get("shape")
    single = isinstance(shape, list) and len(shape) == 3 and 1 in (shape[0], shape[-1])
    return single or no_picture(key)


def number_names(feature: object) -> tuple[str, ...]:
    """Of a feature's numbers: a list, or lists in an object such as {"motors": [...]}. () where
    they do not fit its shape."""
    if not isinstance(feature, dict):
        return ()
    names, shape = feature.get("names"), feature.get("shape")
    if isinstance(names, dict):
        lists = [value for value in names.values() if isinstance(value, list)]
        names = [name for value in lists for name in value] or [
            name for name, at in names.items() if isinstance(at, int)
        ]
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) for name in names)
        or not isinstance(shape, list)
    ):
        return ()
    fits = all(isinstance(size, int) for size in shape) and len(names) == math.prod(shape)
    return tuple(names) if fits else ()


def number(value: object, what: str, low: float, high: float) -> float:
    """InputError unless it is one from low to high."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InputError(f"{what} is {value!r}; it should lie between {low:g} and {high:g}")
    return float(value)


def _length(value: object, path: Path) -> int:
    return int(number(value, f"{path}: an episode's length", 1, MAX_LENGTH))


def _texts(tasks: object) -> tuple[str, ...]:
    return tuple(str(task) for task in tasks) if isinstance(tasks, list) else ()


def filled_path(
    root: Path, info: Mapping[str, Any], key: str, place: Mapping[str, float | str]
) -> Path:
    """The path template `key` of info.json, filled in: names and zero-padded numbers alone, and
    never a file outside the dataset."""
    template = str(info.get(key) or PATHS[key])

    def fill(match: re.Match[str]) -> str:
        value = place.get(match[1])
        if value is None:
            raise InputError(
                f'{root}/meta/info.json: {key} asks for "{match[1]}", which is not known; fix it'
            )
        return value if isinstance(value, str) else f"{int(value):0{int(match[2] or 0)}d}"

    path = root / PLACES.sub(fill, template)
    if not inside(path, root):
        raise InputError(
            f"{root}/meta/info.json: {key} leads outside the dataset; fix it, or copy the file "
            f"into it"
        )
    return path
