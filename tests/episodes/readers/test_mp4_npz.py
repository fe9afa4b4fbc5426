"""Other containers than mp4, arrays of other names, names that cannot be shown."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from synthetic_sets import film, recordings, write_mp4_npz

from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.errors import InputError

EPISODE = recordings(1)[0]


@pytest.mark.parametrize(
    ("suffix", "form", "codec"),
    [
        (".avi", "avi", "mpeg4"),
        (".mov", "mov", "libx264"),
        (".mkv", "matroska", "libx264"),
        (".MP4", "mp4", "libx264"),
    ],
)
def test_other_containers(suffix: str, form: str, codec: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").write_bytes(film(EPISODE.frames, codec, form=form))
    np.savez(tmp_path / "a.npz", EPISODE.actions)
    found = open_source(tmp_path).read("a")
    assert (
        found.frames.shape == EPISODE.frames.shape
        and np.abs(found.frames.astype(int) - EPISODE.frames).mean() < 12.0
    )


def test_arrays_are_named_by_hand(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(film(EPISODE.frames))
    np.savez(
        tmp_path / "a.npz",
        arm=EPISODE.actions[:, :6],
        hand=EPISODE.actions[:, 6],
        where=EPISODE.states,
        short=np.zeros(3),
    )
    with pytest.raises(
        InputError,
        match=r"a\.npz: holds arm, hand, short, where; name its array of actions with --action",
    ):
        open_source(tmp_path).read("a")
    with pytest.raises(
        InputError, match='has no array "leg"; --action names one of arm, hand, short, where'
    ):
        open_source(tmp_path, SourceOptions(action="leg")).read("a")
    with pytest.raises(InputError, match=r"of different lengths \(arm 6, short 3\)"):
        open_source(tmp_path, SourceOptions(action="arm,short")).read("a")
    found = open_source(
        tmp_path, SourceOptions(action="arm, hand", state="where", instruction="push it")
    ).read("a")
    np.testing.assert_array_equal(found.actions, EPISODE.actions)
    assert (
        np.array_equal(np.asarray(found.states), np.asarray(EPISODE.states))
        and found.instruction == "push it"
    )


def test_uneven_clocks_and_turned_videos_are_said(tmp_path: Path) -> None:
    times = [0.0, 0.2, 0.25, 0.3, 0.9, 1.0]
    (tmp_path / "a.mp4").write_bytes(film(EPISODE.frames, times=times, turned=90))
    np.savez(tmp_path / "a.npz", EPISODE.actions)
    found = open_source(tmp_path).read("a")
    np.testing.assert_allclose(np.asarray(found.facts.times), times, atol=1e-3)
    assert any("turned by 90 degrees" in note for note in found.facts.notes)
    assert any("unevenly spaced" in one for one in found.facts.contradictions)


def test_names_that_cannot_be_shown_are_cleaned(tmp_path: Path) -> None:
    write_mp4_npz(tmp_path, recordings(1))
    for kind in ("mp4", "npz"):
        (tmp_path / "test" / f"000.{kind}").rename(
            os.fsdecode(os.fsencode(tmp_path) + b"/a\xff\x1b[2J." + kind.encode())
        )
    source = open_source(tmp_path, SourceOptions(instruction="go"))
    (listed,) = source.listing()
    found = source.read(listed.name)
    assert (listed.name, len(found.frames)) == ("a\ufffd[2J", 6)
    found.source.encode()
