"""Rotary tables in the format in which a network learned them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from worldgym.world.attention import rotary_angles_1d, rotary_angles_2d, rotate, rotation
from worldgym.world.rotary import TABLES, space_rotation, time_rotation

LIKE = torch.zeros(1)


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """To so many bits of mantissa, ties to even: what a shorter format keeps of a number."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits)


def spaced(start: float, end: float, count: int) -> np.ndarray:
    """In 8 bits, from both ends, the step rounded first."""
    step, order = rounded(np.float64((end - start) / (count - 1)), 8), np.arange(count)
    up = rounded(start + rounded(step * order, 8), 8)
    down = rounded(end - rounded(step * (count - 1 - order), 8), 8)
    return np.where(order < count // 2, up, down)


@pytest.mark.parametrize("pixel", [True, False])
def test_exact_tables_are_those_of_the_angles(pixel: bool) -> None:
    wanted = rotation(rotary_angles_2d(4, 6, 16, pixel), torch.float32)
    for found, right in zip(space_rotation((4, 6), 16, pixel, "exact", LIKE), wanted, strict=True):
        assert torch.equal(found, right)
    places = torch.arange(5)
    wanted = rotation(rotary_angles_1d(places, 16), torch.float32)
    for found, right in zip(time_rotation(places, 16, "exact", LIKE), wanted, strict=True):
        assert torch.equal(found, right)


def test_bfloat16_pixel_tables_round_every_step() -> None:
    """Frequencies, coordinates, angles and cosines in 8 bits of mantissa, as in the authors'
    training; by NumPy in 64 bits with the rounding done by hand."""
    size, quarter = 16, 16
    frequencies = rounded(spaced(1, 128, quarter) * math.pi, 8)
    places = spaced(-1, 1, size)
    angles = rounded(places[:, None] * frequencies, 8)
    cos, _ = space_rotation((size, size), 4 * quarter, True, "bfloat16", LIKE)
    by_row = cos.view(size, size, -1)[:, 0, :quarter].double().numpy()
    gap = np.abs(by_row - np.cos(angles))
    assert gap.max() < 2**-8, "half a step of a cosine"


def test_it_is_far_from_the_exact_table_and_float16_is_near() -> None:
    exact, *others = (space_rotation((16, 16), 64, True, made, LIKE)[0] for made in TABLES)
    short, half = (float((x - exact).norm() / exact.norm()) for x in others)
    assert 0.5 < short < 0.85 and 0.02 < half < 0.25


def test_turned_pairs_keep_their_length() -> None:
    x = torch.randn(3, 16 * 16, 64)
    for made in TABLES:
        turned = rotate(x, space_rotation((16, 16), 64, True, made, LIKE))
        assert float((turned.norm(dim=-1) / x.norm(dim=-1) - 1).abs().max()) < 2**-7


def test_time_is_nearly_exact_within_a_window() -> None:
    places = torch.arange(20)
    exact, *others = (time_rotation(places, 64, made, LIKE)[0] for made in TABLES)
    assert all(float((x - exact).abs().max()) < 0.2 for x in others)
    assert others[0].dtype == torch.float32
