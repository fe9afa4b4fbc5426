"""Writing LeRobotDataset v3.0, so that recorded and generated episodes open in lerobot. Needs the
extra "data" (pyarrow).

The folder is written beside its place and renamed at the end: a dataset is there whole or not at
all. Many episodes share a table and a video; a new pair begins when the video passes its size.
LeRobot wants an action with every frame, and the last frame has none: the action before is repeated
there, and `meta/info.json` says so. A view that an episode was recorded without is black, because
every episode has every camera; info.json names these episodes, and our reader takes them for
absent. Whether an episode succeeded stands in a column `success` of meta/episodes, empty where it
is unknown. Frames of an odd height or width grow by one row or column, the last one again, because
h264 with halved colour takes even sizes alone; info.json says that too.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worldgym.episodes.action_statistics import number_statistics
from worldgym.episodes.writers.episode_video import EpisodeVideo, even_sides
from worldgym.episodes.writers.lerobot_info import (
    CAMERA,
    DATA_PATH,
    FILES_A_CHUNK,
    STATE,
    VIDEO_BYTES,
    VIDEO_PATH,
    DatasetForm,
    dataset_info,
    state_form,
)
from worldgym.episodes.writers.parquet_tables import PANDAS_INDEX, pyarrow_module, write_table
from worldgym.episodes.writers.pixel_statistics import PixelCounts
from worldgym.errors import InputError
from worldgym.io.files import write_json
from worldgym.types import ONE_VIEW, Actions, ActionSpec, Episode, States

if TYPE_CHECKING:
    from pyarrow import Table


class LeRobotWriter:
    """`write` every episode, then `finish`. Episodes of one size, spec and rate, and with states of
    one form or none."""

    def __init__(
        self, out: Path, spec: ActionSpec, fps: float, views: tuple[str, ...] = ONE_VIEW
    ) -> None:
        pyarrow_module()
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out}: exists and is not empty; choose another folder, or remove it")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            self.work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
        except OSError as error:
            raise InputError(
                f"cannot write {out}: {error.strerror}; choose a writable folder"
            ) from error
        self.out = out
        self.form = DatasetForm(spec, fps, views)
        self.videos: list[EpisodeVideo] = []  # one per view
        self.absent: dict[str, list[int]] = {}  # episodes without a view, by view
        self.total = 0  # frames written
        self.tables: list[Table] = []  # of the file that is being filled
        self.files = 0
        self.episodes: list[dict[str, Any]] = []
        self.tasks: dict[str, int] = {}
        self.actions: list[Actions] = []
        self.states: list[Actions] = []
        self.pixels = {view: PixelCounts() for view in views}

    def write(self, name: str, episode: Episode) -> None:
        """Appends an episode. LeRobot numbers episodes: the name is not kept."""
        own = self.form
        if (episode.spec, episode.fps, episode.views) != (own.spec, own.fps, own.views):
            raise InputError(
                f"{name}: another action spec, rate or views than the dataset's; convert it first"
            )
        frames = [even_sides(episode.frames[:, v]) for v in range(len(own.views))]
        size = frames[0].shape[1:3]
        if not self.episodes:
            height, width = episode.main.shape[1:3]
            padded = size[0] - height, size[1] - width
            own = replace(own, size=size, padded=padded, state=state_form(episode))
            self.form = own
        if (size, state_form(episode)) != (own.size, own.state):
            raise InputError(
                f"{name}: frames of another size, or other states, than the dataset's; give a size "
                f"to resize to"
            )
        if not self.videos:
            self.videos = [
                EpisodeVideo(self._path(VIDEO_PATH, view), own.fps, own.size) for view in own.views
            ]
        starts = [video.append(shown) for video, shown in zip(self.videos, frames, strict=True)]
        for view in episode.absent:
            self.absent.setdefault(view, []).append(len(self.episodes))
        rows = np.concatenate([episode.actions, episode.actions[-1:]])
        task = self.tasks.setdefault(episode.instruction, len(self.tasks))
        self.tables.append(self._rows(rows, episode.states, task))
        measured = {
            view: PixelCounts().add(shown) for view, shown in zip(own.views, frames, strict=True)
        }
        self.episodes.append(self._entry(rows, starts[0], episode, measured))
        for view, shown in zip(own.views, frames, strict=True):
            self.pixels[view] = self.pixels[view].add(shown)
        self.actions.append(rows)
        self.states += [episode.states.values] if episode.states else []
        self.total += len(rows)
        if max(video.bytes for video in self.videos) > VIDEO_BYTES:
            self._close_files()

    def finish(self) -> Path:
        """Writes the metadata and puts the folder in its place."""
        if not self.episodes:
            self.abandon()
            raise InputError(f"{self.out}: no episode to write; every one was broken or left out")
        self._close_files()
        self._write_metadata()
        if self.out.exists():
            self.out.rmdir()  # empty, as __init__ saw
        self.work.chmod(0o755)
        self.work.rename(self.out)
        return self.out

    def abandon(self) -> None:
        """Removes what was written so far."""
        for video in self.videos:
            video.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def _path(self, template: str, view: str = "") -> Path:
        chunk, file = divmod(self.files, FILES_A_CHUNK)
        path = self.work / template.format(
            video_key=CAMERA + view, chunk_index=chunk, file_index=file
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _rows(self, actions: Actions, states: States | None, task: int) -> Table:
        pa = pyarrow_module()
        n = len(actions)
        frame = np.arange(n)
        tables = {"action": actions, **({STATE: states.values} if states else {})}
        columns = {
            key: pa.FixedSizeListArray.from_arrays(
                pa.array(values.ravel(), pa.float32()), values.shape[1]
            )
            for key, values in tables.items()
        } | {
            "timestamp": pa.array((frame / self.form.fps).astype(np.float32)),
            "frame_index": pa.array(frame, pa.int64()),
            "episode_index": pa.array(np.full(n, len(self.episodes)), pa.int64()),
            "index": pa.array(self.total + frame, pa.int64()),
            "task_index": pa.array(np.full(n, task), pa.int64()),
        }
        return pa.table(columns)

    def _entry(
        self,
        actions: Actions,
        start: float,
        episode: Episode,
        pixels: Mapping[str, PixelCounts],
    ) -> dict[str, Any]:
        """Row of meta/episodes."""
        (chunk, file), n = divmod(self.files, FILES_A_CHUNK), len(actions)
        return {
            "episode_index": len(self.episodes),
            "tasks": [episode.instruction],
            "length": n,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": self.total,
            "dataset_to_index": self.total + n,
            **{
                f"videos/{CAMERA}{view}/{key}": value
                for view in self.form.views
                for key, value in (
                    ("chunk_index", chunk),
                    ("file_index", file),
                    ("from_timestamp", start),
                    ("to_timestamp", start + n / self.form.fps),
                )
            },
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
            "success": episode.success,
            **_flat({**number_statistics(actions), "count": [n]}, "action"),
            **(
                _flat({**number_statistics(episode.states.values), "count": [n]}, STATE)
                if episode.states
                else {}
            ),
            **{
                key: value
                for view, counts in pixels.items()
                for key, value in _flat(counts.statistics(), CAMERA + view).items()
            },
        }

    def _close_files(self) -> None:
        from pyarrow import parquet

        if not self.videos:
            return
        for video in self.videos:
            video.close()
        with parquet.ParquetWriter(self._path(DATA_PATH), self.tables[0].schema) as writer:
            for table in self.tables:  # a row group an episode, so that one can be read alone
                writer.write_table(table)
        self.videos = []
        self.tables = []
        self.files = self.files + 1

    def _write_metadata(self) -> None:
        pa = pyarrow_module()
        meta = self.work / "meta"
        counts = len(self.episodes), self.total, len(self.tasks)
        write_json(meta / "info.json", dataset_info(self.form, *counts, self.absent))
        measured = {"action": np.concatenate(self.actions)}
        measured |= {STATE: np.concatenate(self.states)} if self.states else {}
        stats = {
            key: {**number_statistics(rows), "count": [len(rows)]} for key, rows in measured.items()
        }
        stats |= {CAMERA + view: counts.statistics() for view, counts in self.pixels.items()}
        write_json(meta / "stats.json", stats)
        tasks = pa.table(
            {
                "task_index": pa.array(list(self.tasks.values()), pa.int64()),
                "task": list(self.tasks),
            }
        )
        write_table(
            tasks.replace_schema_metadata({b"pandas": PANDAS_INDEX}), meta / "tasks.parquet"
        )
        columns = {key: [row[key] for row in self.episodes] for key in self.episodes[0]}
        episodes = pa.table({**columns, "success": pa.array(columns["success"], pa.bool_())})
        write_table(episodes, meta / "episodes" / "chunk-000" / "file-000.parquet")


def _flat(statistics: dict[str, Any], feature: str) -> dict[str, Any]:
    return {f"stats/{feature}/{name}": value for name, value in statistics.items()}
