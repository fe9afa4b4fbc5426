"""Small synthetic datasets in every format that is read, written independently of the readers. All
hold the same episodes."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from worldgym.episodes.readers.tfrecord import masked_crc32c
from worldgym.episodes.recording import Recording
from worldgym.io.video import encode_mp4
from worldgym.types import Frames

FPS, SIZE, SPEED = 5.0, 32, 200.0  # SPEED: pixels a metre
CAMERAS = ("front", "wrist")
SUBTASKS = ("pick the square", "place the square")


def recordings(count: int = 3) -> list[Recording]:
    """A square that goes where the first two action numbers send it; 6, 7, 8 ... frames, with
    states that obey the actions."""
    out = []
    for seed in range(count):
        rng, n = np.random.default_rng(seed), 6 + seed
        actions = rng.uniform(-0.04, 0.04, (n, 7)).astype(np.float32)
        actions[:, 6] = rng.integers(0, 2, n)
        states = np.zeros((n, 7), np.float32)
        states[1:, :3] = np.cumsum(actions[:-1, :3], axis=0)
        turned = Rotation.identity()
        for state, action in zip(states[1:], actions, strict=False):
            turned = Rotation.from_euler("xyz", action[3:6]) * turned
            state[3:6] = turned.as_euler("xyz")
        frames = np.full((n, SIZE, SIZE, 3), (40, 60, 90), np.uint8)
        for frame, (x, y) in zip(
            frames, (SIZE / 2 + SPEED * states[:, :2]).clip(4, SIZE - 5).astype(int), strict=True
        ):
            frame[y - 4 : y + 5, x - 4 : x + 5] = (220, 120, 40)
        out.append(
            Recording(
                frames,
                actions,
                states,
                f"push the square {seed % 2}",
                f"made {seed}",
                FPS,
                bool(seed % 2),
            )
        )
    return out


def wrist(frames: Frames) -> Frames:
    """What the second camera sees: the same with colours swapped."""
    return np.ascontiguousarray(frames[..., ::-1])


def write_mp4_npz(root: Path, episodes: Sequence[Recording]) -> None:
    for i, episode in enumerate(episodes):
        folder = root / ("train" if i else "test")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:03d}.mp4").write_bytes(
            encode_mp4(episode.frames, 20.0, crf=4, pixel_format="yuv444p")
        )
        assert episode.states is not None
        np.savez(folder / f"{i:03d}.npz", episode.actions, states=episode.states)


def write_droid(root: Path, episodes: Sequence[Recording]) -> None:
    """Raw steps three a frame: every recorded step repeats the frame's numbers, and the gripper is
    1 closed."""
    for i, episode in enumerate(episodes):
        n, names = len(episode.frames), []
        for camera in range(2):
            path = root / "videos" / "train" / str(i) / f"{camera}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            seen = wrist(episode.frames) if camera else episode.frames
            path.write_bytes(encode_mp4(seen, 4.0, crf=4, pixel_format="yuv444p"))
            names.append({"video_path": str(path.relative_to(root))})
        raw = np.repeat(episode.actions, 3, axis=0)[: 3 * n - 1]
        states = np.repeat(np.asarray(episode.states), 3, axis=0)[: 3 * n - 1]
        data = {
            "texts": [episode.instruction],
            "success": int(bool(episode.success)),
            "video_length": n,
            "raw_length": len(raw),
            "videos": names,
            "states": np.asarray(episode.states).tolist(),
            "action.joint_velocity": np.hstack([raw[:, :6], raw[:, :1]]).tolist(),
            "action.cartesian_position": states[:, :6].tolist(),
            "action.gripper_position": raw[:, 6].tolist(),
        }
        path = root / "annotation" / "train" / f"{i}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data))


def write_robomimic(root: Path, episodes: Sequence[Recording]) -> None:
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    with h5py.File(root / "demos.hdf5", "w") as file:
        data = file.create_group("data")
        data.attrs["problem_info"] = json.dumps({"language_instruction": "push the  square"})
        for i, episode in enumerate(episodes):
            demo = data.create_group(f"demo_{i}")
            demo["actions"], demo["states"] = episode.actions, episode.states
            demo["obs/agentview_image"], demo["obs/eye_in_hand_image"] = (
                episode.frames,
                wrist(episode.frames),
            )
            demo["obs/robot0_eef_pos"] = np.asarray(episode.states)[:, :3]


def write_act(root: Path, episodes: Sequence[Recording]) -> None:
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    for i, episode in enumerate(episodes):
        with h5py.File(root / f"episode_{i}.hdf5", "w") as file:
            file["action"], file["observations/qpos"] = episode.actions, episode.states
            file["observations/images/front"] = episode.frames
            coded = [np.frombuffer(jpeg(frame), np.uint8) for frame in episode.frames]
            width = max(map(len, coded))
            file["observations/images/coded"] = np.stack(
                [np.pad(row, (0, width - len(row))) for row in coded]
            )


def write_isaac(root: Path, episodes: Sequence[Recording]) -> None:
    """As Isaac Lab records: cameras of any name, the outcome as an attribute; one camera channels
    first, one of grey levels."""
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    with h5py.File(root / "recorded.hdf5", "w") as file:
        for i, episode in enumerate(episodes):
            demo = file.create_group(f"data/demo_{i}")
            demo.attrs["success"] = bool(episode.success)
            demo.attrs["ep_meta"] = json.dumps({"lang": episode.instruction})
            demo["actions"], demo["states"] = episode.actions, episode.states
            demo["obs/table_cam"], demo["obs/wrist_cam"] = (
                episode.frames,
                np.moveaxis(wrist(episode.frames), 3, 1),
            )
            demo["obs/grey"] = episode.frames[..., 0]
            demo["obs/depth_cam"] = episode.frames[..., :1].astype(np.float32)
            demo["obs/eef_pos"] = np.asarray(episode.states)[:, :3]
        file["mask/train"] = np.array(["demo_0", "demo_2"], "S6")


def write_robotwin(root: Path, episodes: Sequence[Recording]) -> None:
    """A file an episode, JPEG as fixed-size texts, and no states."""
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    for i, episode in enumerate(episodes):
        with h5py.File(root / f"episode{i}.hdf5", "w") as file:
            file["joint_action/vector"] = episode.actions
            for name, frames in (
                ("head_camera", episode.frames),
                ("left_camera", wrist(episode.frames)),
            ):
                file[f"observation/{name}/rgb"] = np.array([jpeg(frame) for frame in frames])


def write_lerobot_v2(root: Path, episodes: Sequence[Recording], subtasks: bool = False) -> None:
    """subtasks: the first half of every episode is one task, the second half another."""
    chunk = "chunk-000"
    for i, episode in enumerate(episodes):
        _write_parquet(
            root / "data" / chunk / f"episode_{i:06d}.parquet", [_rows(episode, i, 0, subtasks)]
        )
        for camera in CAMERAS:
            path = root / "videos" / chunk / f"observation.images.{camera}" / f"episode_{i:06d}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            seen = wrist(episode.frames) if camera == "wrist" else episode.frames
            path.write_bytes(encode_mp4(seen, FPS, crf=4, pixel_format="yuv444p"))
    tasks = [_tasks(episode, subtasks) for episode in episodes]
    lines = [
        {"episode_index": i, "tasks": tasks[i], "length": len(e.frames)}
        for i, e in enumerate(episodes)
    ]
    _write_info(
        root,
        "v2.1",
        "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    )
    (root / "meta" / "episodes.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines)
    )
    named = [
        {"task_index": i, "task": text}
        for i, text in enumerate(SUBTASKS if subtasks else _both(episodes))
    ]
    (root / "meta" / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in named))


def _tasks(episode: Recording, subtasks: bool) -> list[str]:
    """As lerobot lists them: in no order."""
    return [*reversed(SUBTASKS)] if subtasks else [episode.instruction]


def _both(episodes: Sequence[Recording]) -> list[str]:
    return [episode.instruction for episode in episodes[:2]]


def write_lerobot_v3(
    root: Path, episodes: Sequence[Recording], codec: str = "libsvtav1", subtasks: bool = False
) -> None:
    """All episodes in one table and one AV1 video a camera, as lerobot itself writes them."""
    import pyarrow as pa

    starts = np.cumsum([0, *(len(episode.frames) for episode in episodes)])
    rows = [_rows(episode, i, int(starts[i]), subtasks) for i, episode in enumerate(episodes)]
    _write_parquet(root / "data" / "chunk-000" / "file-000.parquet", rows)
    table: dict[str, list[Any]] = {
        "episode_index": list(range(len(episodes))),
        "tasks": [_tasks(episode, subtasks) for episode in episodes],
        "length": [len(episode.frames) for episode in episodes],
        "data/chunk_index": [0] * len(episodes),
        "data/file_index": [0] * len(episodes),
        "dataset_from_index": starts[:-1].tolist(),
        "dataset_to_index": starts[1:].tolist(),
        "stats/action/mean": [episode.actions.mean(axis=0).tolist() for episode in episodes],
    }
    for camera in CAMERAS:
        key = f"observation.images.{camera}"
        seen = [
            wrist(episode.frames) if camera == "wrist" else episode.frames for episode in episodes
        ]
        path = root / "videos" / key / "chunk-000" / "file-000.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_video(np.concatenate(seen), codec))
        table |= {f"videos/{key}/{name}_index": [0] * len(episodes) for name in ("chunk", "file")}
        table[f"videos/{key}/from_timestamp"] = (starts[:-1] / FPS).tolist()
        table[f"videos/{key}/to_timestamp"] = (starts[1:] / FPS).tolist()
    _write_info(
        root,
        "v3.0",
        "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    )
    _write_parquet(root / "meta" / "episodes" / "chunk-000" / "file-000.parquet", [pa.table(table)])
    texts = list(SUBTASKS) if subtasks else _both(episodes)
    # as lerobot 0.4 names the column
    named = pa.table({"task_index": list(range(len(texts))), "__index_level_0__": texts})
    _write_parquet(root / "meta" / "tasks.parquet", [named])


def _rows(episode: Recording, index: int, first: int, subtasks: bool) -> Any:
    import pyarrow as pa

    n = len(episode.frames)
    task = (np.arange(n) >= n // 2).astype(int) if subtasks else np.full(n, index % 2)
    return pa.table(
        {
            "action": pa.FixedSizeListArray.from_arrays(pa.array(episode.actions.ravel()), 7),
            "observation.state": pa.FixedSizeListArray.from_arrays(
                pa.array(np.asarray(episode.states).ravel()), 7
            ),
            "timestamp": pa.array((np.arange(n) / FPS).astype(np.float32)),
            "frame_index": np.arange(n),
            "episode_index": np.full(n, index),
            "index": first + np.arange(n),
            "task_index": task,
            "next.success": [bool(episode.success) and i == n - 1 for i in range(n)],
        }
    )


def _write_parquet(path: Path, tables: Sequence[Any]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.concat_tables(tables), path)


def _write_info(root: Path, version: str, data_path: str, video_path: str) -> None:
    image = {"dtype": "video", "shape": [SIZE, SIZE, 3], "names": ["height", "width", "channels"]}
    numbers = {"dtype": "float32", "shape": [7], "names": None}
    features: dict[str, Mapping[str, object]] = {
        "action": numbers,
        "observation.state": numbers,
        "next.success": {"dtype": "bool", "shape": [1], "names": None},
    }
    features |= {f"observation.images.{camera}": image for camera in CAMERAS}
    info = {"codebase_version": version, "fps": int(FPS), "chunks_size": 1000, "features": features}
    (root / "meta").mkdir(parents=True, exist_ok=True)
    (root / "meta" / "info.json").write_text(
        json.dumps({**info, "data_path": data_path, "video_path": video_path})
    )


def _video(frames: Frames, codec: str) -> bytes:
    return film(frames, codec, options={"preset": "12"} if codec == "libsvtav1" else {})


def film(
    frames: Frames,
    codec: str = "libx264",
    times: Sequence[float] | None = None,
    turned: int = 0,
    form: str = "mp4",
    options: Mapping[str, str] = {},
) -> bytes:
    """A video file. times: seconds at which frames are shown, default every 1 / FPS.   turned:
    degrees written as metadata."""
    buffer, clock = io.BytesIO(), 1000
    with av.open(buffer, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.options = {"g": "2", "crf": "10", **options}
        if times is not None:
            stream.codec_context.time_base = Fraction(1, clock)
        if turned:
            stream.set_display_rotation(turned)
        for i, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[i] * clock), Fraction(1, clock)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def write_rlds(root: Path, episodes: Sequence[Recording], name: str = "bridge_dataset") -> None:
    root.mkdir(parents=True, exist_ok=True)
    records = b"".join(record(example(rlds_features(episode))) for episode in episodes)
    (root / f"{name}-train.tfrecord-00000-of-00001").write_bytes(records)
    splits = [{"name": "train", "shardLengths": [str(len(episodes))]}]
    (root / "dataset_info.json").write_text(json.dumps({"name": name, "splits": splits}))
    observation = {"image_0": {"image": {}}, "image_1": {"image": {}}, "state": _tensor(7)}
    steps = {
        "action": _tensor(7),
        "language_instruction": {"text": {}},
        "observation": _dict(observation),
    }
    features = _dict(
        {
            "steps": {"sequence": {"feature": _dict(steps)}},
            "episode_metadata": _dict({"file_path": {"text": {}}}),
        }
    )
    (root / "features.json").write_text(json.dumps(features))


def rlds_features(episode: Recording) -> dict[str, list[bytes] | np.ndarray[Any, Any]]:
    n = len(episode.frames)
    return {
        "steps/observation/image_0": [jpeg(frame) for frame in episode.frames],
        "steps/observation/image_1": [jpeg(frame) for frame in wrist(episode.frames)],
        "steps/observation/state": np.asarray(episode.states).ravel(),
        "steps/action": episode.actions.ravel(),
        "steps/language_instruction": [episode.instruction.encode()] * n,
        "steps/is_last": np.zeros(n, np.int64),
        "episode_metadata/file_path": [b"/made/up.npy"],
    }


def example(features: Mapping[str, list[bytes] | np.ndarray[Any, Any]]) -> bytes:
    """A tf.train.Example."""
    entries = []
    for key, values in features.items():
        if isinstance(values, list):
            feature = field(1, b"".join(field(1, value) for value in values))
        elif values.dtype.kind == "f":
            feature = field(2, field(1, values.astype("<f4").tobytes()))
        else:
            feature = field(
                3, field(1, b"".join(varint(int(value) & (2**64 - 1)) for value in values))
            )
        entries.append(field(1, field(1, key.encode()) + field(2, feature)))
    return field(1, b"".join(entries))


def record(data: bytes) -> bytes:
    """A TFRecord."""
    length = struct.pack("<Q", len(data))
    return (
        length
        + struct.pack("<I", masked_crc32c(length))
        + data
        + struct.pack("<I", masked_crc32c(data))
    )


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def jpeg(frame: Frames) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=98, subsampling=0)
    return buffer.getvalue()


def _tensor(size: int) -> dict[str, Any]:
    return {"tensor": {"shape": {"dimensions": [str(size)]}, "dtype": "float32"}}


def _dict(features: Mapping[str, Any]) -> dict[str, Any]:
    return {"featuresDict": {"features": dict(features)}}


WRITERS: Mapping[str, Callable[[Path, Sequence[Recording]], None]] = {
    "mp4_npz": write_mp4_npz,
    "droid": write_droid,
    "robomimic": write_robomimic,
    "act": write_act,
    "isaac": write_isaac,
    "robotwin": write_robotwin,
    "lerobot_v2": write_lerobot_v2,
    "lerobot_v3": write_lerobot_v3,
    "rlds": write_rlds,
}
