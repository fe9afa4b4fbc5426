"""Cameras that did not move change nothing; planes meet their corners."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.tasks.edits.warp import homography, moved, on_plane

FRAME = np.random.default_rng(0).integers(0, 256, (24, 36, 3), np.uint8)


def test_a_camera_at_rest() -> None:
    np.testing.assert_array_equal(moved(FRAME, (0.0, 0.0), 1.0, 0.0), FRAME)


def test_a_shift_by_whole_pixels_draws_out_the_edge() -> None:
    shifted = moved(FRAME, (3 / 36, 2 / 24), 1.0, 0.0)
    np.testing.assert_array_equal(shifted[2:, 3:], FRAME[:-2, :-3])
    np.testing.assert_array_equal(shifted[0, 3:], FRAME[0, :-3])


def test_a_half_turn() -> None:
    np.testing.assert_array_equal(moved(FRAME, (0.0, 0.0), 1.0, 180.0), FRAME[::-1, ::-1])


def test_a_homography_meets_its_corners() -> None:
    corners = ((2.0, 3.0), (30.0, 5.0), (28.0, 20.0), (4.0, 18.0))
    H = homography(corners)
    for (u, v), corner in zip(((0, 0), (1, 0), (1, 1), (0, 1)), corners, strict=True):
        x, y, w = H @ [u, v, 1]
        np.testing.assert_allclose((x / w, y / w), corner)
    with pytest.raises(InputError, match="go around"):
        homography((corners[0], corners[2], corners[1], corners[3]))


def test_an_upright_picture_is_copied() -> None:
    picture = np.concatenate([FRAME, np.full((24, 36, 1), 255, np.uint8)], -1)
    layer = on_plane(picture, ((9.5, 9.5), (45.5, 9.5), (45.5, 33.5), (9.5, 33.5)), 50, 60)
    inside = layer[10:34, 10:46]
    assert (inside[1:-1, 1:-1, 3] == 1).all() and layer[..., 3].sum() == pytest.approx(
        24 * 36, rel=0.01
    )
    # bilinear sampling within a pixel smooths noise
    smooth = np.abs(inside[1:-1, 1:-1, :3] - FRAME[1:-1, 1:-1]).mean()
    assert smooth < np.abs(FRAME[1:-1, 1:-1] - FRAME.mean()).mean() / 2
