"""Colour spaces go back and forth; recolouring keeps shading; light does what its numbers say."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.tasks.edits.colour import Light, parse_colour, recoloured, to_hsv, to_rgb, white
from worldgym.types import Frames

BYTE = st.integers(0, 255)
RAMP: Frames = np.linspace(40, 200, 50)[:, None].repeat(3, 1).astype(np.uint8)


@given(BYTE, BYTE, BYTE)
def test_there_and_back(red: int, green: int, blue: int) -> None:
    rgb = np.array([[red, green, blue]], np.uint8)
    hsv = to_hsv(rgb)
    h, s, v = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    np.testing.assert_allclose(hsv[0], [360 * h, s, v], atol=1e-9)
    np.testing.assert_array_equal(to_rgb(hsv), rgb)


def test_recolouring_keeps_the_order_of_brightness() -> None:
    blue = recoloured(RAMP, "#2040c0")
    assert (np.diff(blue[:, 2].astype(int)) >= 0).all() and blue[-1, 2] > blue[0, 2] + 100
    assert (blue[:, 2] >= blue[:, 1]).all() and (blue[:, 1] >= blue[:, 0]).all()
    middle = blue[len(blue) // 2].astype(float)
    np.testing.assert_allclose(middle, parse_colour("#2040c0"), atol=6)


@pytest.mark.parametrize("text", ["red", "#12345", "#gg0000", ""])
def test_no_colour(text: str) -> None:
    with pytest.raises(InputError, match="not a colour"):
        parse_colour(text)


def test_light() -> None:
    frame = np.full((9, 9, 3), 100, np.uint8)
    np.testing.assert_array_equal(Light().on(frame), frame)
    assert (Light(gain=0.5).on(frame) == 50).all()
    assert (Light(gamma=0.5).on(frame) > 100).all()
    right = Light(gradient=0.5).on(frame)[:, :, 0].astype(int)
    assert (right[:, 0] == 50).all() and (right[:, 4] == 100).all() and (right[:, -1] == 150).all()
    top = Light(gradient=0.5, angle=90.0).on(frame)[:, :, 0].astype(int)
    assert (top[0] == 150).all() and (top[-1] == 50).all()


def test_warm_light_is_redder_and_cold_light_bluer() -> None:
    np.testing.assert_allclose(white(6500.0), 1.0)
    warm, cold = white(3000.0), white(9000.0)
    assert warm[0] > 1 > warm[2] and cold[0] < 1 < cold[2] and warm[1] == cold[1] == 1


@pytest.mark.parametrize(
    "wrong",
    [{"gain": -1.0}, {"gamma": 0.0}, {"kelvin": 10.0}, {"gradient": 2.0}, {"gain": float("nan")}],
)
def test_light_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="a light has"):
        Light(**wrong)
