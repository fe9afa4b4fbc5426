"""What the common tests of all readers do not reach: images in tables, versions, damaged lists."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_sets import recordings, write_lerobot_v2, write_lerobot_v3

from worldgym.episodes.readers.lerobot import LeRobotSource
from worldgym.episodes.recording import SourceOptions
from worldgym.errors import InputError

pa = pytest.importorskip("pyarrow", reason="the extra [data] is not installed")
from pyarrow import parquet  # noqa: E402


def change_info(root: Path, **changes: object) -> None:
    path = root / "meta" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_images_in_the_table_are_exact(tmp_path: Path) -> None:
    episode = recordings(1)[0]
    write_lerobot_v2(tmp_path, [episode])
    info = json.loads((tmp_path / "meta" / "info.json").read_text())
    change_info(tmp_path, features=info["features"] | {"observation.image": {"dtype": "image", "shape": [32, 32, 3]}})
    path = tmp_path / "data" / "chunk-000" / "episode_000000.parquet"
    cells = []
    for frame in episode.frames:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "PNG")
        cells.append({"bytes": buffer.getvalue(), "path": None})
    parquet.write_table(parquet.read_table(path).append_column("observation.image", pa.array(cells)), path)
    options = SourceOptions(camera="observation.image")
    np.testing.assert_array_equal(LeRobotSource(tmp_path, options).read("episode_000000").frames, episode.frames)


def test_frames_of_a_shared_video_are_found_by_their_time(tmp_path: Path) -> None:
    """Fine enough to tell a frame from its neighbours."""
    episodes = recordings(4)
    write_lerobot_v3(tmp_path, episodes, codec="libx264")
    source = LeRobotSource(tmp_path)
    for i, episode in enumerate(episodes):
        found = source.read(f"episode_{i:06d}").frames.astype(int)
        distance = np.abs(found[:, None] - episode.frames[None].astype(int)).mean(axis=(2, 3, 4))
        same = np.array([[np.array_equal(a, b) for b in episode.frames] for a in episode.frames])
        assert all(same[t, row.argmin()] for t, row in enumerate(distance))


def test_a_video_of_another_rate_is_refused(tmp_path: Path) -> None:
    write_lerobot_v3(tmp_path, recordings(2), codec="libx264")
    change_info(tmp_path, fps=12)
    with pytest.raises(
        InputError, match=r"file-000\.mp4: 1 of 6 frames from second 0 on; the file is cut off or of another rate"
    ):
        LeRobotSource(tmp_path).read("episode_000000")


def test_rows_without_their_order_are_refused(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    path = tmp_path / "data" / "chunk-000" / "episode_000000.parquet"
    parquet.write_table(parquet.read_table(path).drop_columns("frame_index"), path)
    with pytest.raises(InputError, match=r"not a readable table .*frame_index.*download it again"):
        LeRobotSource(tmp_path).read("episode_000000")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"codebase_version": "v2.0"}, 'LeRobot format "v2.0"; convert it to v3.0'),
        ({"features": {}}, "lists no feature called action"),
        ({"fps": 0}, "fps is 0; it should lie between"),
        ({"features": {"action": {}}}, "holds no camera"),
        ({"worldgym": {"action_spec": {"names": 3}}}, "a damaged action_spec"),
    ],
)
def test_wrong_metadata_get_one_sentence(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    change_info(tmp_path, **changes)
    with pytest.raises(InputError, match=said):
        LeRobotSource(tmp_path)


def test_a_list_of_episodes_that_lies_is_refused(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    (tmp_path / "meta" / "episodes.jsonl").write_text('{"episode_index": 0, "tasks": [], "length": 9}\n')
    with pytest.raises(InputError, match="6 rows of episode 0, which has 9"):
        LeRobotSource(tmp_path).read("episode_000000")
    (tmp_path / "meta" / "episodes.jsonl").write_text('{"episode_index": 0}\n')
    with pytest.raises(InputError, match=r"episodes\.jsonl: not a list of episodes"):
        LeRobotSource(tmp_path)
