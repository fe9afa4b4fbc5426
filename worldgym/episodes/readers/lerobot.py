"""LeRobotDataset v2.1 and v3.0, read without lerobot: pyarrow for the tables, PyAV for the video (AV1 too).

    v2.1   data/chunk-000/episode_000000.parquet, videos/chunk-000/KEY/episode_000000.mp4, meta/episodes.jsonl, tasks.jsonl
    v3.0   data/chunk-000/file-000.parquet and videos/KEY/chunk-000/file-000.mp4 hold many episodes each;
           meta/episodes/*/*.parquet says where each begins and what its tasks are

Every frame has an action, and the last one leads nowhere: `to_episode` leaves it out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worldgym.actions.conventions import load_convention
from worldgym.episodes.images import decode_image, fit, stack
from worldgym.episodes.recording import Listed, Recording, SourceOptions, no_episode
from worldgym.episodes.video import decode_clip
from worldgym.errors import InputError, MissingExtra
from worldgym.files import read_json
from worldgym.types import Actions, ActionSpec, Frames

if TYPE_CHECKING:
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

VERSIONS = ("v2.1", "v3.0")
MAX_LENGTH = 20_000  # frames of an episode
MAX_ROWS = 20_000_000  # read at once: a few bytes can claim any number
PLACES = re.compile(r"\{(\w+)(?::0?(\d{1,2})d)?\}")


@dataclass(frozen=True)
class _Entry:
    """Row of the list of episodes. place: what the path templates ask for, and where the episode begins in shared files."""

    index: int
    length: int
    tasks: tuple[str, ...]
    place: Mapping[str, float]
    success: bool | None = None


class LeRobotSource:
    """`worldgym.episodes.recording.Source` over a data set folder. Needs the extra "data" (pyarrow)."""

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        info = read_json(root / "meta" / "info.json", "a LeRobot data set")
        self.root, self.options, self.info = root, options, info
        self.version = str(info.get("codebase_version", ""))
        if self.version not in VERSIONS:
            raise InputError(f'{root}: LeRobot format "{self.version}"; convert it to v3.0 with lerobot\'s own script')
        self.kind = f"lerobot {self.version}"
        features = info.get("features")
        if not isinstance(features, dict) or "action" not in features:
            raise InputError(f"{root}/meta/info.json: lists no feature called action; it is needed")
        self.features: dict[str, Any] = features
        self.cameras = tuple(key for key, value in features.items() if _kind(value) in ("video", "image"))
        self.camera = options.choose(self.cameras, root)
        self.fps = options.fps or _number(info.get("fps"), f"{root}/meta/info.json: fps", 1e-3, 1e4)
        self.spec = self._spec()
        self.entries = self._entries_v3() if self.version == "v3.0" else self._entries_v2()

    def listing(self) -> Sequence[Listed]:
        return [Listed(name, entry.length) for name, entry in self.entries.items()]

    def read(self, name: str) -> Recording:
        if name not in self.entries:
            raise no_episode(self.root, name)
        entry = self.entries[name]
        where = f"{self.root}, {name}"
        table = self._rows(entry)
        frames = self._frames(entry, table)
        states = _matrix(table, "observation.state", where) if "observation.state" in table.column_names else None
        text = entry.tasks[0] if entry.tasks else ""
        success = _success(table, where) if entry.success is None else entry.success
        return Recording(frames, _matrix(table, "action", where), states, text, where, self.fps, success)

    def _spec(self) -> ActionSpec | None:
        if self.options.convention:
            return load_convention(self.options.convention)
        ours = self.info.get("worldgym")
        try:
            return ActionSpec.from_json(ours["action_spec"]) if isinstance(ours, dict) else None
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self.root}/meta/info.json: a damaged action_spec ({error}); name a convention") from error

    def _entries_v2(self) -> dict[str, _Entry]:
        path = self.root / "meta" / "episodes.jsonl"
        entries, chunk = {}, int(_number(self.info.get("chunks_size", 1000), f"{self.root}: chunks_size", 1, 1e9))
        try:
            with path.open(encoding="utf-8") as file:
                for line in file:
                    row = json.loads(line)
                    index, tasks = int(row["episode_index"]), tuple(str(task) for task in row["tasks"])
                    place = {"episode_chunk": index // chunk, "episode_index": index}
                    entries[f"episode_{index:06d}"] = _Entry(index, _length(row["length"], path), tasks, place)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{path}: not a list of episodes ({error}); download meta/ again") from error
        return entries

    def _entries_v3(self) -> dict[str, _Entry]:
        video, entries = f"videos/{self.camera}", {}
        columns = ["episode_index", "tasks", "length", "data/chunk_index", "data/file_index", "dataset_from_index"]
        if _kind(self.features[self.camera]) == "video":
            columns += [f"{video}/chunk_index", f"{video}/file_index", f"{video}/from_timestamp"]
        keys = columns[3:]
        files = sorted((self.root / "meta" / "episodes").rglob("*.parquet"))
        if not files:
            raise InputError(f"{self.root}/meta/episodes: holds no list of episodes; download meta/ again")
        for path in files:
            try:
                for row in read_table(path, [*columns, "success"]).to_pylist():
                    index, length = int(row["episode_index"]), _length(row["length"], path)
                    place = {key: float(row[key]) for key in keys}
                    entries[f"episode_{index:06d}"] = _Entry(index, length, tuple(row["tasks"] or ()), place, row.get("success"))
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"{path}: not a list of episodes ({error}); download meta/ again") from error
        return entries

    def _rows(self, entry: _Entry) -> Table:
        """The episode's rows of the data table, in order."""
        place = {key.removeprefix("data/"): value for key, value in entry.place.items()}
        path = self._path("data_path", "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet", place)
        wanted = {"action", "observation.state", "next.success", "episode_index", "frame_index", self.camera}
        columns = [key for key in (*self.features, "episode_index", "frame_index") if key in wanted and not self._filmed(key)]
        table = read_table(path, sorted(set(columns)), entry.index)
        if len(table) != entry.length:
            raise InputError(f"{path}: {len(table)} rows of episode {entry.index}, which has {entry.length}; download it again")
        return table

    def _filmed(self, key: str) -> bool:
        return _kind(self.features.get(key)) == "video"

    def _frames(self, entry: _Entry, table: Table) -> Frames:
        if not self._filmed(self.camera):
            where = f"{self.root}, episode {entry.index}"
            images = [cell.get("bytes") if isinstance(cell, dict) else None for cell in table[self.camera].to_pylist()]
            if any(image is None for image in images):
                raise InputError(f"{where}: images of {self.camera} lie outside the table; export them into it")
            return stack([fit(decode_image(image, where), self.options.size) for image in images if image], where)
        video = f"videos/{self.camera}/"
        place = {key.removeprefix(video): value for key, value in entry.place.items()} | {"video_key": self.camera}
        path = self._path("video_path", "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4", place)
        start = entry.place.get(f"{video}from_timestamp", 0.0)
        rate = _number(self.info.get("fps"), f"{self.root}/meta/info.json: fps", 1e-3, 1e4)
        return decode_clip(path, start, entry.length, rate, self.options.size)

    def _path(self, key: str, default: str, place: Mapping[str, float | str]) -> Path:
        """A path template filled in: names and zero-padded numbers alone, and never a file outside the data set."""
        template = str(self.info.get(key) or default)

        def fill(match: re.Match[str]) -> str:
            value = place.get(match[1])
            if value is None:
                raise InputError(f'{self.root}/meta/info.json: {key} asks for "{match[1]}", which is not known; mend it')
            return value if isinstance(value, str) else f"{int(value):0{int(match[2] or 0)}d}"

        path = self.root / PLACES.sub(fill, template)
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise InputError(f"{self.root}/meta/info.json: {key} leads outside the data set; mend it")
        return path


def read_table(path: Path, columns: Sequence[str], episode: int | None = None) -> Table:
    """Those of the columns that a parquet file has, all rows or those of one episode in the order of its frames.

    Row groups are read one by one in this thread, and found by the column itself. On damaged files pyarrow's scanner with a
    filter was seen to hang, and its row group statistics to abort the process.
    """
    try:
        import pyarrow
        from pyarrow import compute, parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", "reading a LeRobot data set") from error
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise InputError(f"{path}: claims {file.metadata.num_rows} rows; download it again")
            there = [name for name in file.schema_arrow.names if name in columns]
            groups = list(range(file.num_row_groups)) if episode is None else _groups_of(file, episode)
            table = file.read_row_groups(groups, columns=there, use_threads=False)
            if episode is None:
                return table
            return table.filter(compute.equal(table["episode_index"], episode)).sort_by("frame_index")
    except (OSError, KeyError, ValueError, pyarrow.ArrowException, OverflowError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not a readable table ({reason}); download it again") from error


def _groups_of(file: ParquetFile, episode: int) -> list[int]:
    """The row groups that hold rows of the episode."""
    index = file.read(columns=["episode_index"], use_threads=False)["episode_index"].to_numpy()
    ends = np.cumsum([file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)])
    return [int(g) for g in np.unique(np.searchsorted(ends, np.flatnonzero(index == episode), side="right")) if g < len(ends)]


def _matrix(table: Table, column: str, where: str) -> Actions:
    """float32 [N, k] of a column of lists or of plain numbers."""
    try:
        values = np.array(table[column].to_pylist(), np.float32)
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"{where}: {column} does not hold equally many numbers a frame ({error}); re-export it") from error
    return values.reshape(len(table), -1) if len(table) else np.zeros((0, 0), np.float32)


def _success(table: Table, where: str) -> bool | None:
    """Whether any frame of the episode is marked as a success; None where the set does not say."""
    return bool(_matrix(table, "next.success", where).any()) if "next.success" in table.column_names else None


def _kind(feature: object) -> str:
    return str(feature.get("dtype")) if isinstance(feature, dict) else ""


def _length(value: object, path: Path) -> int:
    return int(_number(value, f"{path}: an episode's length", 1, MAX_LENGTH))


def _number(value: object, what: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InputError(f"{what} is {value!r}; it should lie between {low:g} and {high:g}")
    return float(value)
