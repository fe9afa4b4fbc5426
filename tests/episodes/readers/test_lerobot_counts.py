"""Metadata of a LeRobot dataset that contradict each other are found without reading its tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from synthetic_sets import recordings, write_lerobot_v2, write_lerobot_v3, write_mp4_npz

from worldgym.episodes.conversion import ConvertRequest, convert_dataset
from worldgym.episodes.inspection import inspect
from worldgym.episodes.readers.lerobot_counts import contradictions
from worldgym.episodes.recording import SourceOptions
from worldgym.errors import InputError

pytest.importorskip("pyarrow", reason="the extra [data] is not installed")

BRIDGE = SourceOptions(convention="bridge_v2")


def change_info(root: Path, **fields: object) -> None:
    path = root / "meta" / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def change_episodes(root: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = root / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    rows = parquet.read_table(path).to_pylist()
    change(rows)
    parquet.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture
def v3(tmp_path: Path) -> Path:
    write_lerobot_v3(tmp_path / "v3", recordings(), codec="libx264")
    return tmp_path / "v3"


def test_sound_sets_and_other_formats_have_none(v3: Path, tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path / "v2", recordings())
    write_mp4_npz(tmp_path / "clips", recordings(1))
    change_info(v3, total_episodes=3, total_frames=21)
    assert (
        contradictions(v3)
        == contradictions(tmp_path / "v2")
        == contradictions(tmp_path / "clips")
        == []
    )


def test_counts(v3: Path) -> None:
    change_info(v3, total_episodes=4, total_frames=20)
    assert contradictions(v3) == [
        "info.json states total_episodes 4, its list of episodes has 3",
        "info.json states total_frames 20, its list of episodes has 21",
    ]


def test_segments_that_overlap(v3: Path) -> None:
    def overlap(rows: list[dict[str, Any]]) -> None:
        rows[1]["dataset_from_index"] = 4
        rows[2]["videos/observation.images.wrist/from_timestamp"] = 1.8

    change_episodes(v3, overlap)
    found = contradictions(v3)
    assert "episode 1 has 7 frames, but its rows are 4 to 13 of the tables" in found
    assert "episodes share rows of the tables: 0 and 1 (1 in all)" in found
    assert "episodes share seconds of videos/observation.images.wrist: 1 and 2 (1 in all)" in found


def test_a_number_listed_twice(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(2))
    path = tmp_path / "meta" / "episodes.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    assert contradictions(tmp_path) == ["the list of episodes holds 1 numbers more than once (0)"]


def test_they_are_said_and_stop_a_strict_conversion(v3: Path, tmp_path: Path) -> None:
    change_info(v3, total_episodes=4)
    assert (
        "info.json states total_episodes 4, its list of episodes has 3"
        in inspect(v3, BRIDGE).warnings()
    )
    with pytest.raises(
        InputError, match=r"total_episodes 4, its list of episodes has 3; fix its metadata"
    ):
        convert_dataset(ConvertRequest(v3, tmp_path / "out", options=BRIDGE, strict=True))
    assert not (tmp_path / "out").exists()
    assert len(convert_dataset(ConvertRequest(v3, tmp_path / "out", options=BRIDGE)).written) == 3
