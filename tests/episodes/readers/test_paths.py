"""Links may lead within a dataset, and from a snapshot of a hub's cache to its own blobs; nowhere
else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from synthetic_sets import recordings, write_droid, write_lerobot_v2, write_lerobot_v3

from worldgym.episodes.readers.paths import inside
from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.errors import InputError


def as_snapshot(root: Path, cache: Path) -> Path:
    """The set as a hub's cache keeps it: every file a link into blobs."""
    snapshot = cache / "datasets--lab--pick" / "snapshots" / "0123abcd"
    blobs = snapshot.parent.parent / "blobs"
    blobs.mkdir(parents=True)
    for i, path in enumerate(sorted(path for path in root.rglob("*") if path.is_file())):
        link = snapshot / path.relative_to(root)
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, blobs / str(i))
        link.symlink_to(os.path.relpath(blobs / str(i), link.parent))
    return snapshot


@pytest.mark.parametrize("write", [write_lerobot_v2, write_lerobot_v3, write_droid])
def test_a_snapshot_reads_like_a_plain_copy(write: object, tmp_path: Path) -> None:
    write(tmp_path / "plain", recordings(2))  # type: ignore[operator]
    plain, snapshot = (
        open_source(root)
        for root in (tmp_path / "plain", as_snapshot(tmp_path / "plain", tmp_path / "hub"))
    )
    names = [listed.name for listed in plain.listing()]
    assert [listed.name for listed in snapshot.listing()] == names and len(names) == 2
    for name in names:
        np.testing.assert_array_equal(snapshot.read(name).frames, plain.read(name).frames)


@pytest.mark.parametrize("write", [write_lerobot_v2, write_droid])
def test_links_elsewhere_are_refused(write: object, tmp_path: Path) -> None:
    write(tmp_path / "plain", recordings(1))  # type: ignore[operator]
    snapshot = as_snapshot(tmp_path / "plain", tmp_path / "hub")
    (video,) = (
        path for path in snapshot.rglob("*.mp4") if "front" in str(path) or path.name == "0.mp4"
    )
    whole = video.resolve()
    other = tmp_path / "hub" / "datasets--lab--other" / "blobs"
    other.mkdir(parents=True)
    for target in (other / "0", tmp_path / "private.mp4"):  # of another repository, and of the user
        shutil.copy(whole, target)
        video.unlink()
        video.symlink_to(target)
        source = open_source(snapshot, SourceOptions())
        with pytest.raises(InputError, match="outside the dataset"):
            source.read(source.listing()[0].name)


def test_what_counts_as_inside(tmp_path: Path) -> None:
    snapshot = tmp_path / "repo" / "snapshots" / "1"
    (snapshot / "sub").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (snapshot / "a").symlink_to(tmp_path / "secret")
    assert inside(snapshot / "sub" / "x", snapshot) and not inside(
        snapshot / ".." / "2" / "x", snapshot
    )
    blob = tmp_path / "repo" / "blobs" / "x"
    assert not inside(blob, snapshot)  # there is no such folder
    (tmp_path / "repo" / "blobs").symlink_to(tmp_path / "secret")
    # a set that brings its own links
    assert not inside(blob, snapshot) and not inside(snapshot / "a" / "x", snapshot)
    (tmp_path / "repo" / "blobs").unlink()
    (tmp_path / "repo" / "blobs").mkdir()
    assert (
        inside(blob, snapshot)
        and inside(blob, snapshot / "sub")
        and not inside(blob, tmp_path / "secret")
    )
