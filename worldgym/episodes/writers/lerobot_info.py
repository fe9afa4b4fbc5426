"""What `meta/info.json` of a LeRobotDataset v3.0 says: the form that all episodes share, and where
the files lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worldgym.types import ActionSpec, Episode

CAMERA = "observation.images."  # and the view's name
STATE = "observation.state"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FILES_A_CHUNK = 1000
VIDEO_BYTES = 200 * 2**20  # of one file, LeRobot's own default
INDICES = ("frame_index", "episode_index", "index", "task_index")
StateForm = tuple[int, tuple[str, ...]] | None  # size and names


@dataclass(frozen=True)
class DatasetForm:
    """What all episodes share. Only the first one tells size, padded and state.

    size: (H, W) of the frames.   padded: rows and columns that were added to every frame.
    state: None where states were not recorded."""

    spec: ActionSpec
    fps: float
    views: tuple[str, ...]
    size: tuple[int, ...] = ()
    padded: tuple[int, ...] = ()
    state: StateForm = None


def state_form(episode: Episode) -> StateForm:
    """Size and names of the states. Numbers that are known to be no pose get names that say so,
    where they have none."""
    if episode.states is None:
        return None
    size = episode.states.values.shape[1]
    names = episode.states.names
    plain = tuple(f"number_{i}" for i in range(size)) if episode.states.no_pose else ()
    return size, names or plain


def dataset_info(
    form: DatasetForm, episodes: int, frames: int, tasks: int, absent: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """episodes, frames, tasks: how many.   absent: episodes without a view, by view."""
    rate = int(form.fps) if form.fps == int(form.fps) else form.fps
    padded = f"the last {_grown(form)} of every frame is shown twice"
    return {
        "codebase_version": "v3.0",
        "robot_type": None,
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": FILES_A_CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": VIDEO_BYTES >> 20,
        "fps": rate,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": _features(form),
        "worldgym": {
            "action_spec": form.spec.to_json(),
            "last_action": "repeats the one before: no frame follows it",
            **({"absent": absent} if absent else {}),
            **({"padded": padded} if any(form.padded) else {}),
        },
    }


def _features(form: DatasetForm) -> dict[str, Any]:
    """The columns of the tables, and the cameras."""
    numbers = {"action": (form.spec.size, form.spec.names)}
    numbers |= {STATE: form.state} if form.state else {}
    return {
        **{
            name: {"dtype": "float32", "shape": [size], "names": list(names) or None}
            for name, (size, names) in numbers.items()
        },
        **{CAMERA + view: _camera(form) for view in form.views},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        **{name: {"dtype": "int64", "shape": [1], "names": None} for name in INDICES},
    }


def _camera(form: DatasetForm) -> dict[str, Any]:
    height, width = form.size
    return {
        "dtype": "video",
        "shape": [height, width, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.fps": form.fps,
            "video.height": height,
            "video.width": width,
            "video.channels": 3,
            "video.codec": "h264",
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "has_audio": False,
        },
    }


def _grown(form: DatasetForm) -> str:
    return " and the last ".join(
        what for what, more in zip(("row", "column"), form.padded, strict=True) if more
    )
