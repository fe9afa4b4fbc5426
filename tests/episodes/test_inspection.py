"""An inspection counts what there is, names what is broken, and warns of what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_sets import recordings, write_mp4_npz, write_rlds

from worldgym.episodes.inspection import SHEET_FRAMES, SHEET_SIDE, inspect, write_sheet
from worldgym.episodes.inspection_text import inspection_text
from worldgym.episodes.recording import SourceOptions
from worldgym.errors import InputError


def test_what_is_there(tmp_path: Path) -> None:
    write_rlds(tmp_path, recordings(8))
    found = inspect(tmp_path, sample=0)
    assert (found.kind, found.episodes, len(found.read), found.broken) == ("rlds", 8, 8, {})
    assert found.lengths == list(range(6, 14)) and dict(found.sizes) == {"32x32": 8}
    assert found.names[-1] == "gripper" and found.actions["max"][6] == 1.0
    assert found.instructions == {"push the square 0": 4, "push the square 1": 4}
    assert (
        found.alignment is not None
        and found.alignment.states is not None
        and (found.alignment.states[0] or 0) > 0.9
    )
    (exchanged,) = found.warnings()
    assert "red and blue are exchanged between the camera image_0 and image_1" in exchanged
    json.dumps(found.to_json(), allow_nan=False)
    text = inspection_text(found)
    assert "rlds: 8 episodes, 8 read, 0 broken" in text and "length 6 to 13, median 9" in text


def test_a_sample_is_spread_over_the_set(tmp_path: Path) -> None:
    write_rlds(tmp_path, recordings(5))
    assert inspect(tmp_path, sample=3).read == [f"train-00000-{i:05d}" for i in (0, 2, 4)]


def test_what_looks_wrong_is_said(tmp_path: Path) -> None:
    episodes = recordings(3)
    for episode in episodes:
        episode.actions[0, :6] = 0.0
        episode.actions[2, 1] = 0.5
    write_mp4_npz(tmp_path, episodes)
    (tmp_path / "train" / "002.mp4").unlink()
    found = inspect(tmp_path, SourceOptions(convention="bridge_v2"))
    warnings = " | ".join(found.warnings())
    assert (
        "1 of 3 episodes are broken" in warnings
        and "first action moves nothing in 100%" in warnings
    )
    assert (
        "beyond the convention's bounds (y 15.4%)" in warnings
        and "no episode says what it does" in warnings
    )
    text = inspection_text(found)
    assert (
        f"broken train-002: {tmp_path}/train/002.mp4: there is no such file" in text
        and "warning: 1 of 3" in text
    )
    with pytest.raises(InputError, match=r"002\.mp4"):
        inspect(tmp_path, strict=True)


@pytest.mark.parametrize("convention", ["metaworld", "bridge_v2"])
def test_a_convention_of_another_size_is_said(tmp_path: Path, convention: str) -> None:
    width = {"metaworld": 7, "bridge_v2": 4}[convention]
    write_mp4_npz(tmp_path, [replace(r, actions=r.actions[:, :width]) for r in recordings(3)])
    found = inspect(tmp_path, SourceOptions(convention=convention))
    said = f"actions hold {width} numbers, the convention {11 - width}: is it the right convention?"
    assert said in found.warnings() and found.outside == [] and found.alignment is not None


def test_without_a_convention_numbers_have_no_names(tmp_path: Path) -> None:
    write_mp4_npz(tmp_path, recordings(2))
    found = inspect(tmp_path)
    assert found.names == [str(i) for i in range(7)] and found.outside == []


def test_the_sheet_shows_first_and_last_frames(tmp_path: Path) -> None:
    write_rlds(tmp_path / "set", recordings(2))
    found = inspect(tmp_path / "set")
    assert found.sheet is not None and found.sheet.shape == (
        2 * SHEET_SIDE,
        SHEET_FRAMES * SHEET_SIDE,
        3,
    )
    write_sheet(found.sheet, tmp_path / "sheet.png")
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "sheet.png")), found.sheet)


def test_a_gripper_that_never_moves_is_said_in_words(tmp_path: Path) -> None:
    episodes = recordings(3)
    for episode in episodes:
        episode.actions[:, 6] = -1.0
    write_mp4_npz(tmp_path / "still", episodes)
    write_mp4_npz(tmp_path / "moving", recordings(3))
    options = SourceOptions(convention="bridge_v2")
    (said,) = (
        text for text in inspect(tmp_path / "still", options).warnings() if "never opens" in text
    )
    assert said.startswith("gripper is -1 in every action read: it never opens or closes")
    moving = inspect(tmp_path / "moving", options).warnings()
    assert not any("never opens" in text for text in moving)
