"""Views are found by name, an absent one is masked and never invented, and stores and LeRobot keep
them all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_sets import recordings, write_lerobot_v2

from worldgym.episodes.conversion import ConvertRequest, convert_dataset
from worldgym.episodes.inspection import inspect
from worldgym.episodes.inspection_text import inspection_text
from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.resample import resampled
from worldgym.episodes.several_views import NamedView, named_views
from worldgym.episodes.sources import open_source
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.video import encode_mp4
from worldgym.types import Frames

pytest.importorskip("pyarrow", reason="the extra [data] is not installed")

BOTH = SourceOptions(convention="bridge_v2", views=("front", "wrist"))
CAMERAS = ("observation.images.cam high", "data/wrist/rgb", "data/left/rgb")


def off(a: Frames, b: Frames) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.fixture
def lacking(tmp_path: Path) -> Path:
    """Three episodes of two cameras; the second has no wrist video, the third a black one."""
    root = tmp_path / "lacking"
    write_lerobot_v2(root, recordings())
    folder = root / "videos" / "chunk-000" / "observation.images.wrist"
    (folder / "episode_000001.mp4").unlink()
    black = np.zeros((8, 32, 32, 3), np.uint8)
    (folder / "episode_000002.mp4").write_bytes(encode_mp4(black, 5.0))
    return root


def test_cameras_are_found_by_key_part_or_new_name() -> None:
    assert named_views(("cam high", "hand=wrist"), CAMERAS, "x") == [
        NamedView("cam_high", CAMERAS[0]),
        NamedView("hand", CAMERAS[1]),
    ]
    for asked, complaint in (
        (("rgb",), 'several cameras "rgb"'),
        (("behind",), 'no camera "behind"; choose among'),
        (("a=left", "a=wrist"), 'two views are called "a"'),
    ):
        with pytest.raises(InputError, match=complaint):
            named_views(asked, CAMERAS, "x")
    with pytest.raises(InputError, match="give one of the two"):
        SourceOptions(camera="front", views=("front",))


def test_absent_views_are_masked_and_counted(lacking: Path, tmp_path: Path) -> None:
    found = inspect(lacking, BOTH)
    text = inspection_text(found)
    assert "views: front, wrist" in text
    assert "the view wrist is absent in 2 of 3 episodes" in text and not found.broken
    done = convert_dataset(ConvertRequest(lacking, tmp_path / "store", options=BOTH))
    assert "recorded without the view wrist: 2 of 3 episodes" in done.sentences()
    assert len(done.written) == 3 and done.left_out == ()
    store = EpisodeStore(tmp_path / "store")
    assert store.views == ("front", "wrist")
    assert [info.absent for info in store] == [(), ("wrist",), ("wrist",)]
    whole, part = store["episode_000000"], store["episode_000001"]
    assert part.frames[:, 1].max() == 0 and whole.frames[:, 1].max() > 100
    slow = resampled(whole, 2.5, 5.0)
    np.testing.assert_array_equal(slow.frames, whole.frames[::2])
    assert slow.views == whole.views


def test_stores_and_lerobot_keep_all_views(lacking: Path, tmp_path: Path) -> None:
    convert_dataset(ConvertRequest(lacking, tmp_path / "store", options=BOTH))
    convert_dataset(ConvertRequest(tmp_path / "store", tmp_path / "lerobot", "lerobot"))
    info = json.loads((tmp_path / "lerobot/meta/info.json").read_text())
    assert info["worldgym"]["absent"] == {"wrist": [1, 2]}
    plain = replace(BOTH, convention="")
    convert_dataset(ConvertRequest(tmp_path / "lerobot", tmp_path / "again", options=plain))
    first, second = EpisodeStore(tmp_path / "store"), EpisodeStore(tmp_path / "again")
    for one, two in zip(first, second, strict=True):
        assert one.absent == two.absent
        assert off(first[one.name].frames, second[two.name].frames) < 4.0
        np.testing.assert_array_equal(first[one.name].actions, second[two.name].actions)
    source = open_source(tmp_path / "store", SourceOptions(camera="wrist"))
    assert off(source.read("episode_000000").frames, first["episode_000000"].frames[:, 1]) == 0.0


def test_views_of_other_sizes_need_one(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path / "in", recordings(1))
    small = np.full((6, 16, 24, 3), 90, np.uint8)
    video = tmp_path / "in/videos/chunk-000/observation.images.wrist/episode_000000.mp4"
    video.write_bytes(encode_mp4(small, 5.0))
    with pytest.raises(InputError, match="6 frames of 24x16 in the view wrist, and 6 of 32x32"):
        open_source(tmp_path / "in", BOTH).read("episode_000000")
    found = open_source(tmp_path / "in", replace(BOTH, size=(24, 24))).read("episode_000000")
    assert found.others["wrist"] is not None and found.others["wrist"].shape == (6, 24, 24, 3)
