"""Pictures used by edits: cut-outs with alpha, pictures for a card, masks. The user's
files, or drawn here.

The drawn ones are simple solids lit from the upper left, so that an edit works without a single
file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from worldgym.errors import InputError
from worldgym.io.files import not_fetched
from worldgym.io.images import open_picture

Rgba = npt.NDArray[np.uint8]  # [H, W, 4], alpha not multiplied in
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
SIZE, FINE = 128, 4  # pixels of a drawn object, and how much finer it is drawn


def read_picture(path: Path) -> Rgba:
    """Any picture that Pillow reads, alpha 255 where it has none. InputError for no picture, or one
    too large."""
    if not path.exists():
        raise InputError(f"{path}: no such file; paths of an edit are relative to its TOML file")
    if pointer := not_fetched(path):
        raise InputError(pointer)
    image = open_picture(path, str(path), FORMATS, "a picture", "save it as PNG")
    return np.array(image.convert("RGBA"))


def cut_out(name: str, folder: Path) -> Rgba:
    """A drawn object by name, or a file; what is see-through around it is cut off. InputError if
    nothing is left."""
    picture = _drawn(name) if name in OBJECTS else read_picture(folder / name)
    rows, columns = (np.flatnonzero(picture[..., 3].any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        raise InputError(f"{name}: every pixel is see-through; there is nothing to add")
    return np.ascontiguousarray(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


@cache
def _drawn(name: str) -> Rgba:
    picture = OBJECTS[name]()
    picture.flags.writeable = False
    return picture


def _solid(
    height: float,
    width: float,
    shade: npt.NDArray[np.float64],
    inside: npt.NDArray[np.bool_],
    colour: str,
) -> Image.Image:
    """An image of a colour times a shade in [0, 1.3], see-through outside."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    lit = np.clip(shade[..., None] * [red, green, blue], 0, 255)
    alpha = np.where(inside, 255, 0)[..., None]
    full = Image.fromarray(np.concatenate([lit, alpha], -1).astype(np.uint8), "RGBA")
    return full.resize((round(width * SIZE), round(height * SIZE)), Image.Resampling.BOX)


def _grid(height: float, width: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """x in [-1, 1] over the width, y in [-1, 1] from the bottom to the top, at the finer size."""
    rows, columns = round(height * SIZE) * FINE, round(width * SIZE) * FINE
    x = (np.arange(columns) + 0.5) / columns * 2 - 1
    y = 1 - (np.arange(rows) + 0.5) / rows * 2
    grid = np.meshgrid(x, y)
    return grid[0], grid[1]


def _ball(colour: str) -> Image.Image:
    x, y = _grid(1, 1)
    z = np.sqrt(np.clip(1 - x * x - y * y, 0, 1))
    facing = (-0.45 * x + 0.65 * y + 0.61 * z).clip(0)
    return _solid(1, 1, 0.35 + 0.75 * facing + 0.5 * facing**24, x * x + y * y <= 1, colour)


def _cylinder(colour: str, height: float, width: float, tilt: float = 0.22) -> Image.Image:
    """Standing, seen a little from above: an elliptical lid above a wall."""
    x, y = _grid(height, width)
    flat = tilt * width / height  # half the lid's height on the scale of y
    round_off = flat * np.sqrt(np.clip(1 - x * x, 0, 1))
    lid = abs(y - (1 - flat)) <= round_off
    wall = (y <= 1 - flat) & (y >= -1 + flat - round_off)
    shade = np.where(lid, 1.15, 0.4 + 0.65 * np.sqrt(np.clip(1 - (x + 0.35) ** 2 / 1.9, 0, 1)))
    return _solid(height, width, shade, lid | (wall & (abs(x) <= 1)), colour)


def _block() -> Rgba:
    """A cube with its edge towards the viewer."""
    x, y = _grid(1, 1)
    top = abs(x) / 1.0 + abs(y - 0.55) / 0.45 <= 1
    below = y <= 0.55 - 0.45 * (1 - abs(x))
    sides = below & (y >= -1 + 0.45 * abs(x)) & ~top
    shade = np.where(top, 1.15, np.where(x < 0, 0.85, 0.55))
    return np.array(_solid(1, 1, shade, top | sides, "#3f6fd0"))


def _apple() -> Rgba:
    body = _ball("#c3342b")
    canvas = Image.new("RGBA", (SIZE, round(1.15 * SIZE)))
    canvas.alpha_composite(body, (0, canvas.height - SIZE))
    draw = ImageDraw.Draw(canvas)
    middle = SIZE // 2
    draw.line([(middle, 34), (middle + 8, 4)], fill=(92, 62, 38, 255), width=7)
    draw.ellipse([middle + 8, 4, middle + 40, 20], fill=(84, 140, 60, 255))
    return np.array(canvas)


def _can() -> Rgba:
    can = _cylinder("#2f8f6a", 1.3, 0.75)
    band = _cylinder("#e8e2d0", 0.62, 0.75)
    lid = round(0.22 * 0.75 * SIZE)
    stripe = band.crop((0, lid, band.width, band.height))  # its wall alone
    can.alpha_composite(stripe, (0, can.height // 2 - stripe.height // 2 + lid // 2))
    return np.array(can)


def _mug() -> Rgba:
    cup = _cylinder("#e6e6ea", 1.0, 0.85)
    canvas = Image.new("RGBA", (round(1.15 * SIZE), SIZE))
    handle = Image.new("RGBA", (canvas.width * FINE, canvas.height * FINE))
    box = [
        round(0.62 * SIZE) * FINE,
        round(0.3 * SIZE) * FINE,
        round(1.12 * SIZE) * FINE,
        round(0.78 * SIZE) * FINE,
    ]
    ImageDraw.Draw(handle).ellipse(box, outline=(176, 176, 184, 255), width=12 * FINE)
    canvas.alpha_composite(handle.resize(canvas.size, Image.Resampling.BOX))
    canvas.alpha_composite(cup)
    inside = Image.new("RGBA", cup.size)
    lid = round(0.22 * 0.85 * SIZE)
    ImageDraw.Draw(inside).ellipse([8, 4, cup.width - 9, 2 * lid - 4], fill=(120, 104, 96, 255))
    canvas.alpha_composite(inside)
    return np.array(canvas)


OBJECTS: Mapping[str, Callable[[], Rgba]] = {
    "apple": _apple,
    "ball": lambda: np.array(_ball("#e0a32e")),
    "block": _block,
    "can": _can,
    "mug": _mug,
}
