"""Objects come, go, change places and colour; what is outside their place stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worldgym.errors import InputError
from worldgym.tasks.edits.edit_protocol import Scene
from worldgym.tasks.edits.masks import Mask
from worldgym.tasks.edits.objects import Add, Picture, Recolour, Remove, Swap
from worldgym.types import Frames

SCENE = Scene(np.random.default_rng(0))
TABLE: Frames = np.full((64, 80, 3), (120, 90, 70), np.uint8)
RED, GREEN = (slice(10, 20), slice(10, 20)), (slice(40, 52), slice(50, 70))


@pytest.fixture
def frame() -> Frames:
    """A red and a green object on a table."""
    made = TABLE.copy()
    made[RED], made[GREEN] = (200, 30, 30), (30, 160, 40)
    return made


RED_MASK, GREEN_MASK = (Mask(hue=(350.0, 5.0), saturation=(0.7, 1.0)),), (Mask(hue=(110.0, 140.0)),)


def test_an_object_stands_on_its_foot(frame: Frames) -> None:
    changed = Add("block", (0.25, 0.9), size=0.25, shadow=0.0).paint(frame, SCENE)
    rows, columns = np.nonzero((changed != frame).any(-1))
    assert rows.max() == round(0.9 * 64) - 1 and 14 <= rows.max() - rows.min() + 1 <= 16
    assert abs((columns.min() + columns.max()) / 2 - 20) <= 1
    shadow = Add("block", (0.25, 0.9), size=0.25, shadow=0.5).paint(frame, SCENE)
    beside = shadow[50:58, 30:36].astype(int) - frame[50:58, 30:36]
    assert beside.min() < -10 and beside.max() <= 0


def test_an_object_may_be_brighter(frame: Frames) -> None:
    plain, bright = (
        Add("block", (0.25, 0.9), size=0.25, shadow=0.0, gain=gain).paint(frame, SCENE)
        for gain in (1.0, 1.2)
    )
    own = (plain != frame).any(-1)
    assert (bright[~own] == frame[~own]).all() and bright[own].mean() > 1.1 * plain[own].mean()


def test_the_robot_stays_in_front(frame: Frames) -> None:
    robot = (Mask(box=(0.0, 0.0, 0.25, 1.0)),)
    changed = Add("ball", (0.25, 0.9), size=0.4, behind=robot).paint(frame, SCENE)
    np.testing.assert_array_equal(changed[:, :20], frame[:, :20])
    assert (changed[:, 20:] != frame[:, 20:]).any()
    with pytest.raises(InputError, match="completely hidden"):
        Add("ball", (0.1, 0.9), size=0.1, behind=(Mask(box=(0.0, 0.0, 1.0, 1.0)),)).paint(
            frame, SCENE
        )


def test_the_users_cut_out(tmp_path: Path, frame: Frames) -> None:
    cutout = np.zeros((8, 8, 4), np.uint8)
    cutout[..., :] = (10, 20, 250, 255)
    Image.fromarray(cutout).save(tmp_path / "thing.png")
    changed = Add("thing.png", (0.5, 0.5), size=8 / 64, shadow=0.0, folder=tmp_path).paint(
        frame, SCENE
    )
    assert (changed[24:32, 36:44] == (10, 20, 250)).all() and (changed != frame).any(-1).sum() == 64


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"at": (1.5, 0.5)}, "outside the frame"),
        ({"at": (0.5, -0.2)}, "outside the frame"),
        ({"size": 0.01}, "make it larger"),
        ({"size": 3.0}, "size lies between"),
        ({"object": "unicorn"}, "no such file"),
    ],
)
def test_an_object_that_cannot_be_added(
    frame: Frames, wrong: dict[str, object], fault: str
) -> None:
    with pytest.raises(InputError, match=fault):
        Add(**{"object": "mug", "at": (0.5, 0.5), **wrong}).paint(frame, SCENE)  # type: ignore[arg-type]


def test_a_removed_object_is_table(frame: Frames) -> None:
    changed = Remove(RED_MASK).paint(frame, SCENE)
    assert (changed[RED] == TABLE[RED]).all() and (changed[GREEN] == frame[GREEN]).all()


def test_a_recolour_turns_hue_or_sets_it(frame: Frames) -> None:
    for step in (Recolour(GREEN_MASK, turn=120.0), Recolour(GREEN_MASK, to="#2040d0")):
        changed = step.paint(frame, SCENE)
        assert (changed[GREEN][..., 2] > changed[GREEN][..., 1]).all()
        assert (changed[RED] == frame[RED]).all() and (changed[0] == frame[0]).all()
    assert (Recolour(GREEN_MASK, value=0.5).paint(frame, SCENE)[GREEN] == (15, 80, 20)).all()
    with pytest.raises(InputError, match="not both"):
        Recolour(GREEN_MASK, to="#000000", turn=3.0)


def test_two_objects_change_places(frame: Frames) -> None:
    changed = Swap(RED_MASK, GREEN_MASK).paint(frame, SCENE)
    assert (changed[42:52, 55:65] == (200, 30, 30)).all()  # red on the foot of green
    assert (changed[8:20, 5:25] == (30, 160, 40)).all() and (changed != TABLE).any(
        -1
    ).sum() == 100 + 240
    with pytest.raises(InputError, match="overlap"):
        Swap(RED_MASK, (Mask(box=(0.0, 0.0, 1.0, 1.0)),)).paint(frame, SCENE)


def test_a_picture_on_a_card(frame: Frames) -> None:
    corners = ((0.1, 0.5), (0.5, 0.5), (0.5, 0.9), (0.1, 0.9))
    changed = Picture(corners, show="apple", border=0.2, gain=1.0).paint(frame, SCENE)
    assert (changed[33, 9:39] > 245).all()  # the white border
    assert changed[45, 24, 0] > 120 > changed[45, 24, 1]  # the apple
    assert (changed[:30] == frame[:30]).all()
    shown = Picture(corners, crop=(0.1, 0.1, 0.3, 0.35), border=0.0, gain=1.0).paint(frame, SCENE)
    assert (shown[34:56, 10:38] == (200, 30, 30)).all(-1).sum() > 200  # the red object, shown again


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"show": "apple", "crop": (0.0, 0.0, 1.0, 1.0)}, "either show or crop"),
        ({"show": ""}, "either show or crop"),
        ({"corners": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))}, "four corners"),
        ({"corners": ((2.0, 0.0), (3.0, 0.0), (3.0, 1.0), (2.0, 1.0))}, "outside the frame"),
        ({"show": "", "crop": (0.5, 0.5, 0.5, 0.9)}, "fractions of the frame"),
        ({"corners": ((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0))}, "go around"),
    ],
)
def test_a_picture_that_cannot_be_shown(
    frame: Frames, wrong: dict[str, object], fault: str
) -> None:
    known = {"show": "apple", "corners": ((0.1, 0.5), (0.5, 0.5), (0.5, 0.9), (0.1, 0.9))}
    with pytest.raises(InputError, match=fault):
        Picture(**{**known, **wrong}).paint(frame, SCENE)  # type: ignore[arg-type]


CORNERS = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))


@pytest.mark.parametrize(
    "crop",
    [(0, 0, 0.5, -0.2), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (0.5, 0, 0.5, 1), (0.6, 0, 0.5, 1)],
)
def test_a_crop_is_a_part_of_the_frame(crop: tuple[float, float, float, float]) -> None:
    with pytest.raises(InputError, match="crop is left, top, right, bottom, fractions"):
        Picture(CORNERS, crop=crop)


def test_a_crop_has_pixels(frame: Frames) -> None:
    with pytest.raises(InputError, match="smaller than 2 pixels"):
        Picture(CORNERS, crop=(0, 0, 0.001, 1)).paint(frame, SCENE)


@pytest.mark.parametrize("far", [1e308, -1e308, 101])
def test_what_is_far_away_is_outside_the_frame(far: float) -> None:
    with pytest.raises(InputError, match="outside the frame"):
        Add("mug", (far, 0.5))
    with pytest.raises(InputError, match="outside the frame"):
        Picture((*CORNERS[:2], (0.9, far), CORNERS[3]), show="mug")


def test_nothing_is_done_to_what_is_hidden(frame: Frames) -> None:
    """Whatever the step is: a sentence, and no step that does nothing."""
    everything = (Mask(box=(0.0, 0.0, 1.0, 1.0)),)
    for step in (
        Add("mug", (0.5, 0.9), behind=everything),
        Remove(RED_MASK, everything),
        Swap(RED_MASK, GREEN_MASK, everything),
        Picture(CORNERS, show="mug", behind=everything),
    ):
        with pytest.raises(InputError, match=r"completely hidden|nothing around it"):
            step.paint(frame, SCENE)
