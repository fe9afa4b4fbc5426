"""Drawn objects are whole cut-outs; the user's files are read with care."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worldgym.errors import InputError
from worldgym.tasks.edits.picture_files import OBJECTS, cut_out, read_picture


@pytest.mark.parametrize("name", OBJECTS)
def test_a_drawn_object_is_cut_to_its_outline_and_is_the_same_again(name: str) -> None:
    drawn = cut_out(name, Path())
    alpha = drawn[..., 3]
    assert drawn.dtype == np.uint8 and 60 < drawn.shape[0] < 200
    assert alpha[0].any() and alpha[-1].any() and alpha[:, 0].any() and alpha[:, -1].any()
    assert 0.4 < (alpha > 127).mean() < 1.0 and drawn[alpha > 127][:, :3].std() > 10
    np.testing.assert_array_equal(OBJECTS[name](), OBJECTS[name]())


def test_a_file_with_alpha(tmp_path: Path) -> None:
    picture = np.zeros((10, 12, 4), np.uint8)
    picture[2:5, 3:9] = (1, 2, 3, 255)
    Image.fromarray(picture).save(tmp_path / "cut.png")
    assert cut_out("cut.png", tmp_path).tolist() == np.full((3, 6, 4), (1, 2, 3, 255)).tolist()
    Image.fromarray(picture * 0).save(tmp_path / "empty.png")
    with pytest.raises(InputError, match="see-through"):
        cut_out("empty.png", tmp_path)


def test_no_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        cut_out("bananna", tmp_path)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    with pytest.raises(InputError, match="cannot be read as a picture"):
        read_picture(tmp_path / "bad.png")
    Image.new("L", (5000, 2)).save(tmp_path / "wide.png")
    with pytest.raises(InputError, match="5000x2 pixels"):
        read_picture(tmp_path / "wide.png")
