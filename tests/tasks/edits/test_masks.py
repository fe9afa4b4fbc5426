"""Masks hold the pixels they describe, and a mask that holds none says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worldgym.errors import InputError
from worldgym.tasks.edits.masks import Mask, pixels, read_region

FRAME = np.zeros((20, 40, 3), np.uint8)
FRAME[:, :20] = (200, 20, 20)  # red left, blue right
FRAME[:, 20:] = (20, 20, 200)


def test_places_are_fractions() -> None:
    found = Mask(box=(0.25, 0.5, 0.75, 1.0)).of(FRAME)
    assert found[10:, 10:30].all() and found.sum() == 10 * 20
    triangle = Mask(polygon=((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))).of(FRAME)
    assert triangle[0, 0] and not triangle[-1, -1] and abs(int(triangle.sum()) - 400) < 40


def test_colours_wrap_around_red() -> None:
    red = Mask(hue=(350.0, 10.0), saturation=(0.5, 1.0)).of(FRAME)
    assert red[:, :20].all() and not red[:, 20:].any()
    assert (
        Mask(hue=(10.0, 350.0)).of(FRAME)[:, 20:].all()
        and not Mask(value=(0.0, 0.5)).of(FRAME).any()
    )


def test_all_hues_are_all_colours() -> None:
    for hue in ((0.0, 360.0), (-180.0, 180.0)):
        assert Mask(hue=hue).of(FRAME).all()


def test_what_is_named_must_all_fit_and_a_region_is_a_union() -> None:
    both = Mask(box=(0.0, 0.0, 1.0, 0.5), hue=(230.0, 250.0)).of(FRAME)
    assert both.sum() == 10 * 20 and both[:10, 20:].all()
    union = pixels((Mask(box=(0.0, 0.0, 0.1, 1.0)), Mask(box=(0.9, 0.0, 1.0, 1.0))), FRAME)
    assert union.sum() == 2 * 4 * 20


def test_invert_and_grow() -> None:
    box = Mask(box=(0.25, 0.25, 0.5, 0.5))
    assert (Mask(box=box.box, invert=True).of(FRAME) == ~box.of(FRAME)).all()
    assert (
        Mask(box=box.box, grow=1).of(FRAME).sum()
        > box.of(FRAME).sum()
        > Mask(box=box.box, grow=-1).of(FRAME).sum()
        > 0
    )


def test_from_a_file(tmp_path: Path) -> None:
    drawn = np.zeros((20, 40), np.uint8)
    drawn[3, 4] = 255
    Image.fromarray(drawn).save(tmp_path / "mask.png")
    assert np.argwhere(pixels(read_region({"file": "mask.png"}, {}, tmp_path), FRAME)).tolist() == [
        [3, 4]
    ]
    Image.fromarray(drawn[:10]).save(tmp_path / "small.png")
    with pytest.raises(InputError, match="40x10, the frame 40x20"):
        pixels(read_region({"file": "small.png"}, {}, tmp_path), FRAME)
    with pytest.raises(InputError, match=r"absent\.png: no such file"):
        pixels(read_region({"file": "absent.png"}, {}, tmp_path), FRAME)


def test_named_regions_and_lists(tmp_path: Path) -> None:
    robot = read_region([{"box": [0, 0, 0.5, 1]}, {"hue": [100, 130]}], {}, tmp_path)
    assert len(robot) == 2 and read_region("robot", {"robot": robot}, tmp_path) is robot


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"box": [0.5, 0, 0.2, 1]}, "is empty"),
        ({"box": [0, 0, 20, 30]}, "fractions"),
        ({"box": [0, 0, 1]}, "a list of 4"),
        ({"polygon": [[0, 0], [1, 1]]}, "three corners"),
        ({"polygon": [0, 1]}, r'"polygon\[0\]" holds 0; it must be a list of 2 numbers'),
        ({"colour": "red"}, '"colour" is unknown'),
        ({"grow": 2}, "needs a box"),
        ({"box": [0, 0, 1, 1], "grow": 200}, "-100 to 100"),
        ("ghost", 'no mask is called "ghost"'),
        ([], "empty list"),
        (7, "must be a table"),
    ],
)
def test_a_wrong_mask_is_named(table: object, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        read_region(table, {"robot": ()}, Path())


def test_a_mask_that_fits_nothing_says_so() -> None:
    with pytest.raises(InputError, match="covers no pixel"):
        pixels((Mask(hue=(100.0, 120.0)),), FRAME)
