"""Which pixels of a frame an edit may touch. A region is a union of masks; a mask is what fits all
that it names.

Places are fractions of the frame, x from the left and y from the top, so that one description fits
frames of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from worldgym.errors import InputError
from worldgym.io.records import from_mapping
from worldgym.tasks.edits.colour import to_hsv
from worldgym.tasks.edits.edit_protocol import Scene
from worldgym.tasks.edits.picture_files import read_picture
from worldgym.types import Frames

Pixels = npt.NDArray[np.bool_]  # [H, W]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Mask:
    """box: left, top, right, bottom.   polygon: three corners or more.   file: a PNG of the frame's
    size, white where it holds.

    hue: degrees, from the first on to the second (350 to 10 passes through red).   saturation,
    value: ranges in [0, 1].
    invert: all other pixels.   grow: pixels added all around at the end, or, below 0, taken away.
    """

    box: tuple[float, float, float, float] | None = None
    polygon: Points = ()
    hue: tuple[float, float] | None = None
    saturation: tuple[float, float] | None = None
    value: tuple[float, float] | None = None
    file: Path | None = None
    invert: bool = False
    grow: int = 0

    def __post_init__(self) -> None:
        places = (*(self.box or ()), *(number for point in self.polygon for number in point))
        if not all(0 <= place <= 1 for place in places):
            raise InputError("a mask's box and polygon are fractions of the frame between 0 and 1")
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise InputError(
                f"a mask's box is left, top, right, bottom, but {list(self.box)} is empty"
            )
        if self.polygon and len(self.polygon) < 3:
            raise InputError("a mask's polygon needs three corners or more")
        named = (self.box, self.polygon or None, self.hue, self.saturation, self.value, self.file)
        if all(part is None for part in named):
            raise InputError("a mask needs a box, polygon, hue, saturation, value or file")
        if abs(self.grow) > 100:
            raise InputError(f"a mask's grow is {self.grow} pixels; give -100 to 100")

    def of(self, frame: Frames) -> Pixels:
        """bool [H, W], perhaps without a single pixel."""
        height, width = frame.shape[:2]
        found = np.ones((height, width), bool)
        if self.box is not None:
            found &= _polygon(
                ((self.box[0], self.box[1]), (self.box[2], self.box[3])), height, width, box=True
            )
        if self.polygon:
            found &= _polygon(self.polygon, height, width)
        if self.hue or self.saturation or self.value:
            found &= self._coloured(frame)
        if self.file is not None:
            found &= _drawn(self.file, height, width)
        found ^= self.invert
        if self.grow:
            change = ndimage.binary_dilation if self.grow > 0 else ndimage.binary_erosion
            found = change(found, ndimage.generate_binary_structure(2, 1), abs(self.grow))
        return found

    def _coloured(self, frame: Frames) -> Pixels:
        hue, saturation, value = np.moveaxis(to_hsv(frame), -1, 0)
        found = np.ones(hue.shape, bool)
        if self.hue is not None:
            start, end = self.hue
            length = 360 if abs(end - start) >= 360 else (end - start) % 360
            found &= ((hue - start) % 360 <= length) & (saturation > 0)
        for channel, bounds in ((saturation, self.saturation), (value, self.value)):
            if bounds is not None:
                found &= (bounds[0] <= channel) & (channel <= bounds[1])
        return found


Region = tuple[Mask, ...]


def pixels(region: Region, frame: Frames) -> Pixels:
    """bool [H, W] of the union. InputError if it holds no pixel."""
    found = np.any([mask.of(frame) for mask in region], axis=0)
    if not found.any():
        raise InputError("the mask covers no pixel; check its positions and colours")
    return np.asarray(found)


def kept_pixels(region: Region, frame: Frames, scene: Scene) -> Pixels | None:
    """bool [H, W] of a region that an edit keeps, such as the robot in front of an object; None
    where it names none. InputError if it holds no pixel, but in a later frame it may."""
    if not region:
        return None
    if scene.later:
        return np.asarray(np.any([mask.of(frame) for mask in region], axis=0))
    return pixels(region, frame)


def read_region(value: Any, named: Mapping[str, Region], folder: Path) -> Region:
    """A table, a list of tables, or the name of a region of the file's [masks]. Files are relative
    to `folder`."""
    if isinstance(value, str):
        if value not in named:
            raise InputError(
                f'no mask is called "{value}"; [masks] has {", ".join(named) or "none"}'
            )
        return named[value]
    tables = value if isinstance(value, list) else [value]
    if not tables:
        raise InputError("a mask is an empty list; write a table, or a list of tables")
    return tuple(_read_mask(table, folder) for table in tables)


def _read_mask(table: Any, folder: Path) -> Mask:
    mask = from_mapping(Mask, table)
    return mask if mask.file is None else replace(mask, file=folder / mask.file)


def _polygon(corners: Points, height: int, width: int, box: bool = False) -> Pixels:
    """Pixels whose middle lies inside."""
    if box:
        (left, top), (right, bottom) = corners
        x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
        return np.asarray(
            ((top <= y) & (y <= bottom))[:, None] & ((left <= x) & (x <= right))[None, :]
        )
    canvas = Image.new("1", (width, height))
    ImageDraw.Draw(canvas).polygon(
        [(x * width - 0.5, y * height - 0.5) for x, y in corners], fill=1
    )
    return np.array(canvas)


def _drawn(file: Path, height: int, width: int) -> Pixels:
    picture = read_picture(file)
    if picture.shape[:2] != (height, width):
        raise InputError(
            f"{file}: the mask is {picture.shape[1]}x{picture.shape[0]}, the frame "
            f"{width}x{height}; make it the same size"
        )
    return np.asarray(picture[..., :3].mean(axis=-1) > 127)
