"""Writing LeRobotDataset v3.0, so that recorded and generated episodes open in lerobot. Needs the
extra "data" (pyarrow).

The folder is written beside its place and renamed at the end: a dataset is there whole or not at
all. Many episodes share a table and a video; a new pair begins when the video passes its size.
LeRobot wants an action with every frame, and the last frame has none: the action before is repeated
there, and `meta/info.json` says so. A view that an episode was recorded without is black, for every
episode has every camera; info.json names these episodes, and our reader takes them for absent.
Whether an episode succeeded stands in a column `success` of meta/episodes, empty where nobody
knows. Frames of an odd height or width grow by one row or column,
the last one again, for h264 with halved colour takes even sizes alone; info.json says that too.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worldgym.episodes.action_statistics import number_statistics
from worldgym.episodes.writers.episode_video import EpisodeVideo, even_sides
from worldgym.episodes.writers.parquet_tables import PANDAS_INDEX, pyarrow_module, write_table
from worldgym.episodes.writers.pixel_statistics import PixelCounts
from worldgym.errors import InputError
from worldgym.io.files import write_json
from worldgym.types import ONE_VIEW, Actions, ActionSpec, Episode, States

if TYPE_CHECKING:
    from pyarrow import Table

CAMERA = "observation.images."  # and the view's name
STATE = "observation.state"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FILES_A_CHUNK = 1000
VIDEO_BYTES = 200 * 2**20  # of one file, LeRobot's own default
INDICES = ("frame_index", "episode_index", "index", "task_index")


StateForm = tuple[int, tuple[str, ...]] | None  # size and names


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
        self.spec = spec
        self.fps = fps
        self.views = views
        self.videos: list[EpisodeVideo] = []  # one a view
        self.absent: dict[str, list[int]] = {}  # episodes without a view, by view
        self.size: tuple[int, ...] = ()
        self.padded: tuple[int, ...] = ()  # rows and columns that were added to every frame
        self.state: StateForm = None
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
        if (episode.spec, episode.fps, episode.views) != (self.spec, self.fps, self.views):
            raise InputError(
                f"{name}: another action spec, rate or views than the dataset's; convert it first"
            )
        frames = [even_sides(episode.frames[:, v]) for v in range(len(self.views))]
        if not self.episodes:
            self.size = frames[0].shape[1:3]
            self.state = state_form(episode)
            self.padded = tuple(
                grown - was for grown, was in zip(self.size, episode.main.shape[1:3], strict=True)
            )
        if frames[0].shape[1:3] != self.size or state_form(episode) != self.state:
            raise InputError(
                f"{name}: frames of another size, or other states, than the dataset's; give a size "
                f"to resize to"
            )
        if not self.videos:
            self.videos = [
                EpisodeVideo(self._path(VIDEO_PATH, view), self.fps, self.size)
                for view in self.views
            ]
        starts = [video.append(shown) for video, shown in zip(self.videos, frames, strict=True)]
        for view in episode.absent:
            self.absent.setdefault(view, []).append(len(self.episodes))
        rows = np.concatenate([episode.actions, episode.actions[-1:]])
        task = self.tasks.setdefault(episode.instruction, len(self.tasks))
        self.tables.append(self._rows(rows, episode.states, task))
        measured = {
            view: PixelCounts().add(shown) for view, shown in zip(self.views, frames, strict=True)
        }
        self.episodes.append(self._entry(rows, starts[0], episode, measured))
        for view, shown in zip(self.views, frames, strict=True):
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
            "timestamp": pa.array((frame / self.fps).astype(np.float32)),
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
                for view in self.views
                for key, value in (
                    ("chunk_index", chunk),
                    ("file_index", file),
                    ("from_timestamp", start),
                    ("to_timestamp", start + n / self.fps),
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
        write_json(meta / "info.json", self._info())
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

    def _info(self) -> dict[str, Any]:
        height, width = self.size
        video: dict[str, Any] = {
            "video.fps": self.fps,
            "video.height": height,
            "video.width": width,
            "video.channels": 3,
        }
        video |= {
            "video.codec": "h264",
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "has_audio": False,
        }
        image = {
            "dtype": "video",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
            "info": video,
        }
        plain = {name: {"dtype": "int64", "shape": [1], "names": None} for name in INDICES}
        return {
            "codebase_version": "v3.0",
            "robot_type": None,
            "total_episodes": len(self.episodes),
            "total_frames": self.total,
            "total_tasks": len(self.tasks),
            "chunks_size": FILES_A_CHUNK,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": VIDEO_BYTES >> 20,
            "fps": int(self.fps) if self.fps == int(self.fps) else self.fps,
            "splits": {"train": f"0:{len(self.episodes)}"},
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH,
            "features": {
                "action": {
                    "dtype": "float32",
                    "shape": [self.spec.size],
                    "names": list(self.spec.names),
                },
                **self._state_feature(),
                **{CAMERA + view: image for view in self.views},
                "timestamp": {"dtype": "float32", "shape": [1], "names": None},
                **plain,
            },
            "worldgym": {
                "action_spec": self.spec.to_json(),
                "last_action": "repeats the one before: no frame follows it",
                **({"absent": self.absent} if self.absent else {}),
                **(
                    {"padded": f"the last {self._grown()} of every frame is shown twice"}
                    if any(self.padded)
                    else {}
                ),
            },
        }

    def _state_feature(self) -> dict[str, Any]:
        if self.state is None:
            return {}
        size, names = self.state
        return {STATE: {"dtype": "float32", "shape": [size], "names": list(names) or None}}

    def _grown(self) -> str:
        return " and the last ".join(
            what for what, more in zip(("row", "column"), self.padded, strict=True) if more
        )


def state_form(episode: Episode) -> StateForm:
    """Size and names of the states. Numbers that are known to be no pose get names that say so,
    where they have none."""
    if episode.states is None:
        return None
    size = episode.states.values.shape[1]
    names = episode.states.names
    plain = tuple(f"number_{i}" for i in range(size)) if episode.states.no_pose else ()
    return size, names or plain


def _flat(statistics: dict[str, Any], feature: str) -> dict[str, Any]:
    return {f"stats/{feature}/{name}": value for name, value in statistics.items()}
