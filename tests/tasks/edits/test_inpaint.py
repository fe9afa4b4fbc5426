"""Holes are filled from their rim, and from nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.tasks.edits.inpaint import inpaint


def test_a_linear_ramp_is_restored_exactly() -> None:
    """Linear functions solve Laplace's equation."""
    ramp = (
        np.add.outer(4 * np.arange(20), 3 * np.arange(30))[..., None].repeat(3, 2).astype(np.uint8)
    )
    hole = np.zeros((20, 30), bool)
    hole[5:15, 8:22] = True
    broken = ramp.copy()
    broken[hole] = 255
    np.testing.assert_array_equal(inpaint(broken, hole), ramp)


def test_only_the_hole_changes_even_at_the_border() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    hole = np.zeros((16, 16), bool)
    hole[:6, 10:] = True
    filled = inpaint(frame, hole)
    np.testing.assert_array_equal(filled[~hole], frame[~hole])
    assert (filled[hole] != frame[hole]).any()


def test_what_stands_in_front_is_not_filled_from() -> None:
    frame = np.full((12, 12, 3), 50, np.uint8)
    frame[:, :4] = 250
    hole, robot = np.zeros((12, 12), bool), np.zeros((12, 12), bool)
    hole[3:9, 4:8], robot[:, :4] = True, True
    assert inpaint(frame, hole)[5, 4, 0] > 100
    assert (inpaint(frame, hole, robot)[hole] == 50).all()


def test_nothing_to_fill_from() -> None:
    frame = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(InputError, match="nothing around it"):
        inpaint(frame, np.ones((8, 8), bool))
    hole = np.zeros((8, 8), bool)
    hole[3:5, 3:5] = True
    with pytest.raises(InputError, match="nothing around it"):
        inpaint(frame, hole, ~hole)
    with pytest.raises(InputError, match="completely hidden by what is in front of it"):
        inpaint(frame, hole & ~hole, hole)
