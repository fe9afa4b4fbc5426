"""Names may hold hyphens, and frames that are no bytes are refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic_sets import recordings, write_act, write_robomimic

from worldgym.episodes.readers.hdf5 import Hdf5Source
from worldgym.episodes.recording import SourceOptions
from worldgym.errors import InputError


def renamed(path: Path, demo: str) -> None:
    with h5py.File(path, "r+") as file:
        file.move("data/demo_0", f"data/{demo}")


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("stem", ["demos", "pick-cup", "2026-05-01"])
@pytest.mark.parametrize("demo", ["demo_0", "demo-0", "demos", "pick-cup"])
def test_every_listed_name_is_read(tmp_path: Path, single: bool, stem: str, demo: str) -> None:
    write_robomimic(tmp_path, recordings(2))
    path = (tmp_path / "demos.hdf5").rename(tmp_path / f"{stem}.hdf5")
    renamed(path, demo)
    source = Hdf5Source(path if single else tmp_path, SourceOptions(camera="agentview_image"))
    lengths = sorted(len(source.read(listed.name).frames) for listed in source.listing())
    assert lengths == [6, 7]
    for wrong in ("none", f"{stem}-none", f"{stem}-", "-demo_1"):
        with pytest.raises(InputError, match="no episode"):
            source.read(wrong)


@pytest.mark.parametrize("single", [True, False])
def test_an_act_file_with_hyphens(tmp_path: Path, single: bool) -> None:
    write_act(tmp_path, recordings(1))
    path = (tmp_path / "episode_0.hdf5").rename(tmp_path / "pick-cup.hdf5")
    source = Hdf5Source(path if single else tmp_path, SourceOptions(camera="front"))
    assert [listed.name for listed in source.listing()] == ["pick-cup"] and len(source.read("pick-cup").frames) == 6


def test_frames_that_are_no_bytes_are_refused(tmp_path: Path) -> None:
    write_robomimic(tmp_path, recordings(1))
    with h5py.File(tmp_path / "demos.hdf5", "r+") as file:
        frames = np.asarray(file["data/demo_0/obs/agentview_image"])
        del file["data/demo_0/obs/agentview_image"]
        file["data/demo_0/obs/agentview_image"] = frames.astype(np.float32) / 255
    source = Hdf5Source(tmp_path, SourceOptions(camera="agentview_image"))
    with pytest.raises(InputError, match="frames of camera agentview_image are float32; store them as uint8, 0 to 255"):
        source.read("demos-demo_0")
