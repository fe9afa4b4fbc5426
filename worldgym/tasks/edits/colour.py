"""Edits of colour: one region recoloured with its shading kept, and the light of the whole
scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgym.errors import InputError
from worldgym.types import Frames

Numbers = npt.NDArray[np.float64]

NEUTRAL_KELVIN = 6500.0
# metres: where red, green and blue of a display lie
WAVELENGTHS = np.array([610e-9, 550e-9, 465e-9])
RADIATION = 1.438777e-2  # second radiation constant h c / k, metre kelvin (CODATA 2018)


def to_hsv(frame: Frames) -> Numbers:
    """uint8 [..., 3] RGB => hue in degrees [0, 360), saturation and value in [0, 1]."""
    rgb = frame.astype(np.float64) / 255
    value = rgb.max(-1)
    least = rgb.min(-1)
    chroma = value - least
    safe = np.where(chroma > 0, chroma, 1.0)
    red, green, blue = np.moveaxis(rgb, -1, 0)
    sector = np.select(
        [chroma == 0, value == red, value == green],
        [np.zeros_like(value), ((green - blue) / safe) % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    saturation = np.where(value > 0, chroma / np.where(value > 0, value, 1.0), 0.0)
    return np.stack([60 * sector, saturation, value], -1)


def to_rgb(hsv: Numbers) -> Frames:
    """The inverse of `to_hsv`; saturation and value are cut to [0, 1] first."""
    hue, saturation, value = (
        hsv[..., 0] % 360,
        np.clip(hsv[..., 1], 0, 1),
        np.clip(hsv[..., 2], 0, 1),
    )
    turns = (np.array([5.0, 3.0, 1.0]) + hue[..., None] / 60) % 6
    share = np.clip(np.minimum(turns, 4 - turns), 0, 1)
    return to_bytes(255 * value[..., None] * (1 - saturation[..., None] * share))


def to_bytes(values: Numbers) -> Frames:
    """Grey levels, rounded and cut to 0 to 255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def parse_colour(text: str) -> Numbers:
    """ "#3060d0" => float64 [3] in grey levels."""
    digits = text.removeprefix("#")
    if len(digits) != 6 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise InputError(f'"{text}" is not a colour; write it as "#rrggbb"')
    return np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)], np.float64)


def recoloured(frame: Frames, to: str) -> Frames:
    """Every pixel in the colour `to`, as bright against the others as it was: shading and texture
    stay. frame: uint8 [N, 3]."""
    value = frame.max(-1).astype(np.float64)
    middle = max(float(np.median(value)), 1.0)
    return to_bytes(parse_colour(to) * (value / middle)[..., None])


@dataclass(frozen=True)
class Light:
    """gain: factor of brightness.   gamma: exponent, below 1 lifts the shadows.   kelvin: colour
    temperature, 6500 = as it is.

    gradient: share by which one side is brightened and the other darkened.   angle: degrees, 0 =
    brightest on the right, 90 = on top.
    """

    gain: float = 1.0
    gamma: float = 1.0
    kelvin: float = NEUTRAL_KELVIN
    gradient: float = 0.0
    angle: float = 0.0

    def __post_init__(self) -> None:
        if not (
            0 <= self.gain <= 10
            and 0.1 <= self.gamma <= 10
            and 1000 <= self.kelvin <= 40_000
            and abs(self.gradient) <= 1
        ):
            raise InputError(
                "a light has gain 0 to 10, gamma 0.1 to 10, kelvin 1000 to 40000 and gradient -1 "
                "to 1"
            )

    def on(self, frame: Frames) -> Frames:
        return to_bytes(self.reflected(frame) * self.factor(*frame.shape[:2]))

    def reflected(self, frame: Frames) -> Numbers:
        """The frame after gamma, in grey levels, before any factor."""
        return np.asarray(255 * (frame / 255.0) ** self.gamma)

    def factor(self, height: int, width: int) -> Numbers:
        """float64 [height, width, 3]: how much more light falls on every place, by colour."""
        lit = np.broadcast_to(self.gain * white(self.kelvin), (height, width, 3))
        if not self.gradient:
            return lit
        x, y = np.linspace(-1, 1, width)[None, :], np.linspace(1, -1, height)[:, None]
        turn = np.deg2rad(self.angle)
        along = x * np.cos(turn) + y * np.sin(turn)
        return np.asarray(
            lit * (1 + self.gradient * along / (abs(np.cos(turn)) + abs(np.sin(turn))))[..., None]
        )


def white(kelvin: float) -> Numbers:
    """What white becomes under a black body of this temperature instead of one of 6500 K: float64
    [3], green 1 (Planck's law)."""

    def radiance(temperature: float) -> Numbers:
        return np.asarray(1 / np.expm1(RADIATION / (WAVELENGTHS * temperature)))

    ratio = radiance(kelvin) / radiance(NEUTRAL_KELVIN)
    return np.asarray(ratio / ratio[1])
