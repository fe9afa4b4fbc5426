"""LeRobotDataset v2.0, v2.1 and v3.0, read without lerobot: pyarrow for the tables, PyAV for the
video (AV1 too).

    v2.x   data/chunk-000/episode_000000.parquet, videos/chunk-000/KEY/episode_000000.mp4,
           meta/episodes.jsonl, tasks.jsonl
    v3.0   data/chunk-000/file-000.parquet and videos/KEY/chunk-000/file-000.mp4 hold many episodes
           each; meta/episodes/*/*.parquet says where each begins and what its tasks are,
           meta/tasks.parquet what they are called

Every frame has an action, and the last one leads nowhere: `to_episode` leaves it out.
A video's frames are the rows of the table in order, where both are equally many; else they are
found by their time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worldgym.actions.conventions import POSE, load_convention
from worldgym.episodes.instructions import called, subtasks
from worldgym.episodes.readers.keys import ACTION, listed_keys, side_by_side, wanted
from worldgym.episodes.readers.lerobot_meta import (
    IMAGES,
    VERSIONS,
    Entry,
    entries_v2,
    entries_v3,
    filled_path,
    kind,
    number,
    number_names,
    shows_depth,
    task_texts,
)
from worldgym.episodes.readers.parquet import column_matrix, read_parquet
from worldgym.episodes.recording import (
    AbsentCamera,
    Listed,
    Recording,
    RecordingFacts,
    SourceOptions,
    no_episode,
)
from worldgym.episodes.states import not_a_pose
from worldgym.errors import InputError
from worldgym.io.files import read_json
from worldgym.io.images import decode_image, resized, stack
from worldgym.io.records import from_mapping, located
from worldgym.io.video import Film, Stamps, clock_notes, frame_stamps, read_clip, seconds_a_tick
from worldgym.types import ActionSpec

if TYPE_CHECKING:
    from pyarrow import Table

STATE = ("observation.state", "state", "observation/state")
TEXTS = ("language_instruction", "language_instruction_2", "language_instruction_3")
ORDER = ("episode_index", "frame_index", "task_index")


class LeRobotSource:
    """`worldgym.episodes.recording.Source` over a dataset folder. Needs the extra "data"
    (pyarrow)."""

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        info = read_json(root / "meta" / "info.json", "a LeRobot dataset")
        self.root = root
        self.options = options
        self.info = info
        self.version = str(info.get("codebase_version", ""))
        if self.version not in VERSIONS:
            raise InputError(
                f'{root}: LeRobot format "{self.version}"; convert it to v3.0 with lerobot\'s own '
                f"script"
            )
        self.kind = f"lerobot {self.version}"
        self.features = self._features()
        self.actions = wanted(
            options.action, ACTION, self.features, "feature", "--action", f"{root}/meta/info.json"
        )
        if not self.actions:
            raise InputError(
                f"{root}/meta/info.json: lists no feature called action or actions; name the one "
                f"that holds them with "
                f"--action: {listed_keys(self.features)}"
            )
        self.states = wanted(
            options.state, STATE, self.features, "feature", "--state", f"{root}/meta/info.json"
        )
        self.cameras = tuple(key for key, value in self.features.items() if kind(value) in IMAGES)
        self.depth = {key for key in self.cameras if shows_depth(key, self.features[key])}
        self.camera = options.choose(self.cameras, root, self.depth)
        self.stated = number(info.get("fps"), f"{root}/meta/info.json: fps", 1e-3, 1e4)
        self.spec = self._spec()
        self.clock: tuple[Path, Stamps] | None = None  # of the video file read last
        if self.version == "v3.0":
            self.entries = entries_v3(root, self.camera, self._filmed(self.camera))
        else:
            self.entries = entries_v2(
                root, int(number(info.get("chunks_size", 1000), f"{root}: chunks_size", 1, 1e9))
            )

    def listing(self) -> Sequence[Listed]:
        return [Listed(name, entry.length) for name, entry in self.entries.items()]

    def read(self, name: str) -> Recording:
        entry = self._entry(name)
        where = f"{self.root}, {name}"
        numbers = {*self.actions, *self.states, "next.success"}
        table = self._rows(entry, {*numbers, *TEXTS, *ORDER, self.camera})
        film = self._film(entry, table)
        instruction, facts = self._called(entry, table)
        facts = replace(
            facts,
            times=film.times,
            stated_fps=self.stated,
            state_names=self._names(self.states),
            depth=self.camera in self.depth,
            notes=(*facts.notes, *film.notes),
            contradictions=(
                *clock_notes(film.times, self.stated),
                *self._contradictions(),
                *self._surplus(entry),
            ),
        )
        tables = {key: column_matrix(table, key, where) for key in (*self.actions, *self.states)}
        actions = side_by_side(self.actions, tables, where)
        states = side_by_side(self.states, tables, where) if self.states else None
        success = _success(table, where) if entry.success is None else entry.success
        rate = self.options.fps or self.stated
        return Recording(
            film.frames, actions, states, instruction, where, rate, success, facts=facts
        )

    def texts(self, name: str) -> Sequence[str]:
        """The instruction of each frame of an episode with several; () of others, and where no file
        says."""
        entry = self._entry(name)
        return self._texts(self._rows(entry, set(ORDER))) if len(entry.tasks) != 1 else ()

    def _entry(self, name: str) -> Entry:
        if name not in self.entries:
            raise no_episode(self.root, name)
        return self.entries[name]

    def _features(self) -> dict[str, Any]:
        features = self.info.get("features")
        if not isinstance(features, dict):
            raise InputError(
                f"{self.root}/meta/info.json: lists no feature called action; it is needed"
            )
        return {key: value for key, value in features.items() if isinstance(value, dict)}

    def _spec(self) -> ActionSpec | None:
        if self.options.convention:
            return load_convention(self.options.convention)
        ours = self.info.get("worldgym")
        if not isinstance(ours, dict):
            return None
        with located(f"{self.root}/meta/info.json", "name a convention"):
            return from_mapping(ActionSpec, ours.get("action_spec"), place="worldgym.action_spec")

    def _names(self, keys: Sequence[str]) -> tuple[str, ...]:
        """Of all numbers of the features; () where one of them has none."""
        names = [number_names(self.features[key]) for key in keys]
        return tuple(name for each in names for name in each) if all(names) else ()

    def _contradictions(self) -> tuple[str, ...]:
        """Whether the names of the actions speak against the convention."""
        posed = self.spec is not None and self.spec.names[: len(POSE)] == POSE
        reason = not_a_pose(self._names(self.actions)) if posed else ""
        return (
            (f"info.json speaks against the convention: of the action {reason}",) if reason else ()
        )

    def _surplus(self, entry: Entry) -> tuple[str, ...]:
        """Whether the video that was read last holds other frames than the tables say."""
        if not self._filmed(self.camera) or self.clock is None or len(self.clock[1]) == entry.total:
            return ()
        more = "more" if len(self.clock[1]) > entry.total else "fewer"
        return (
            f"the video holds {more} frames than the table has rows: they are matched by their "
            f"time",
        )

    def _called(self, entry: Entry, table: Table) -> tuple[str, RecordingFacts]:
        columns = [table[key].to_pylist() for key in TEXTS if key in table.column_names]
        wordings = [str(column[0]) for column in columns if column and isinstance(column[0], str)]
        if len(entry.tasks) == 1:
            return called(self.options, (entry.tasks[0], *wordings))
        if texts := self._texts(table):
            return called(self.options, wordings, texts)
        return (
            subtasks(self.options, entry.tasks) if entry.tasks else called(self.options, wordings)
        )

    @cached_property
    def _tasks(self) -> dict[int, str]:
        return task_texts(self.root)

    def _texts(self, table: Table) -> list[str]:
        """Of each row; [] where the numbers of the tasks, or what they mean, are not there."""
        if "task_index" not in table.column_names or not self._tasks:
            return []
        return [
            self._tasks.get(index, "") if isinstance(index, int) else ""
            for index in table["task_index"].to_pylist()
        ]

    def _rows(self, entry: Entry, columns: set[str]) -> Table:
        """The episode's rows of the data table, in order."""
        place = {key.removeprefix("data/"): value for key, value in entry.place.items()}
        path = filled_path(self.root, self.info, "data_path", place)
        table = read_parquet(
            path, sorted(key for key in columns if not self._filmed(key)), entry.index
        )
        if len(table) != entry.length:
            raise InputError(
                f"{path}: {len(table)} rows of episode {entry.index}, which has {entry.length}; "
                f"download it again"
            )
        return table

    def _filmed(self, key: str) -> bool:
        return kind(self.features.get(key)) == "video"

    def _film(self, entry: Entry, table: Table) -> Film:
        if not self._filmed(self.camera):
            where = f"{self.root}, episode {entry.index}"
            cells = table[self.camera].to_pylist() if self.camera in table.column_names else []
            images = [cell.get("bytes") if isinstance(cell, dict) else None for cell in cells]
            if any(image is None for image in images):
                raise InputError(
                    f"{where}: images of {self.camera} lie outside the table; export them into it"
                )
            return Film(
                stack(
                    [
                        resized(decode_image(image, where), self.options.size)
                        for image in images
                        if image
                    ],
                    where,
                )
            )
        video = f"videos/{self.camera}/"
        place = {key.removeprefix(video): value for key, value in entry.place.items()} | {
            "video_key": self.camera
        }
        path = filled_path(self.root, self.info, "video_path", place)
        if self.version != "v3.0" and not path.exists():
            raise AbsentCamera(f"{path}: no such video; download it again")
        if self.clock is None or self.clock[0] != path:
            self.clock = path, frame_stamps(path)
        stamps = self.clock[1]
        first = self._first(entry, path, stamps, entry.place.get(f"{video}from_timestamp", 0.0))
        return read_clip(path, stamps[first : first + entry.length], self.options.size)

    def _first(self, entry: Entry, path: Path, stamps: Stamps, start: float) -> int:
        """Which frame of the video is the episode's first: by number where frames and rows agree,
        else by time."""
        if len(stamps) == entry.total:
            return entry.before
        times = stamps * seconds_a_tick(path)
        margin = 0.5 / self.stated
        due = start + np.arange(entry.length) / self.stated
        first = int(np.searchsorted(times, due[0] - margin))
        found = times[first : first + entry.length]
        if (
            len(found) == entry.length
            and times[0] <= margin
            and (np.abs(found - due) <= margin).all()
        ):
            return (
                first  # of a file that begins late too, nobody could say which frames are missing
            )
        raise InputError(
            f"{path}: {len(stamps)} frames, but the tables have {entry.total}, and none at the "
            f"times of episode "
            f"{entry.index}; the file is cut off or of another rate"
        )


def _success(table: Table, where: str) -> bool | None:
    """Whether any frame of the episode is marked as a success; None where the set does not say."""
    return (
        bool(column_matrix(table, "next.success", where).any())
        if "next.success" in table.column_names
        else None
    )
