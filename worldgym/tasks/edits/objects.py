"""Steps that change the objects in the scene: objects added, removed, swapped, recoloured, or shown
on a card."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from worldgym.errors import InputError
from worldgym.tasks.edits.colour import recoloured, to_hsv, to_rgb
from worldgym.tasks.edits.cutout_layers import laid, placed, scaled, shaded
from worldgym.tasks.edits.edit_protocol import Scene
from worldgym.tasks.edits.inpaint import inpaint
from worldgym.tasks.edits.masks import Pixels, Points, Region, kept_pixels, pixels
from worldgym.tasks.edits.picture_files import Rgba, cut_out
from worldgym.tasks.edits.warp import on_plane
from worldgym.types import Frames

FAR = 100  # frames beyond the frame: nothing from there is seen in it


@dataclass(frozen=True)
class Add:
    """An object that was not there. object: a drawn one (apple, ball, block, can, mug) or a PNG
    with alpha.

    at: where its foot stands, fractions of the frame.   size: its height, as a fraction of the
    frame's.   angle: degrees.
    shadow: in [0, 1].   gain: its brightness.   behind: region that stays in front of it, such as
    the robot."""

    object: str
    at: tuple[float, float]
    size: float = 0.2
    angle: float = 0.0
    shadow: float = 0.4
    gain: float = 1.0
    behind: Region = ()
    folder: Path = field(default=Path(), repr=False)

    def __post_init__(self) -> None:
        if not (0 < self.size <= 2 and 0 <= self.shadow <= 1 and 0 <= self.gain <= 10):
            raise InputError(
                "an object's size lies between 0 and 2, its shadow between 0 and 1, its gain "
                "between 0 and 10"
            )
        if max(map(abs, self.at)) > FAR:
            raise InputError("the object lies outside the frame; move it")

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        height, width = frame.shape[:2]
        cutout = scaled(cut_out(self.object, self.folder), self.size * height, self.angle)
        layer = placed(cutout, (self.at[0] * width, self.at[1] * height), height, width) * [
            self.gain,
            self.gain,
            self.gain,
            1.0,
        ]
        front = kept_pixels(self.behind, frame, scene)
        return laid(shaded(frame, layer, self.shadow, front), layer, front)


@dataclass(frozen=True)
class Remove:
    """What the mask holds is gone, filled in from around it. behind: region that stays, and is not
    filled from (the robot)."""

    mask: Region
    behind: Region = ()

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        hole = pixels(self.mask, frame)
        front = kept_pixels(self.behind, frame, scene)
        return inpaint(frame, hole if front is None else hole & ~front, front)


@dataclass(frozen=True)
class Recolour:
    """Another colour with the shading kept. to: "#rrggbb", or turn: degrees of hue; saturation,
    value: factors of the result."""

    mask: Region
    to: str = ""
    turn: float = 0.0
    saturation: float = 1.0
    value: float = 1.0

    def __post_init__(self) -> None:
        if self.to and self.turn:
            raise InputError("a recolour has either to or turn, not both")
        if not (0 <= self.saturation <= 10 and 0 <= self.value <= 10):
            raise InputError("a recolour's saturation and value are factors from 0 to 10")

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        chosen = pixels(self.mask, frame)
        colours = recoloured(frame[chosen], self.to) if self.to else frame[chosen]
        changed = frame.copy()
        changed[chosen] = to_rgb(
            (to_hsv(colours) + [self.turn, 0, 0]) * [1, self.saturation, self.value]
        )
        return changed


@dataclass(frozen=True)
class Swap:
    """Two objects change places: the foot of each stands where the other's stood."""

    first: Region
    second: Region
    behind: Region = ()

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        masks = pixels(self.first, frame), pixels(self.second, frame)
        if (masks[0] & masks[1]).any():
            raise InputError("the two objects of a swap overlap; give masks that do not")
        front = kept_pixels(self.behind, frame, scene)
        changed = inpaint(frame, masks[0] | masks[1], front)
        for own, other in (masks, masks[::-1]):
            layer = placed(_cut(frame, own), _foot(other), *own.shape)
            changed = laid(changed, layer, front)
        return changed


@dataclass(frozen=True)
class Picture:
    """A flat picture on a card or screen. corners: four, upper left first, clockwise, fractions of
    the frame.

    show: a drawn object or a file; or crop: the part of the frame itself (left, top, right, bottom)
    that is shown.
    border: of white, as a fraction of the picture.   gain: its brightness.   behind: region that
    stays in front."""

    corners: Points
    show: str = ""
    crop: tuple[float, float, float, float] | None = None
    border: float = 0.08
    gain: float = 0.95
    behind: Region = ()
    folder: Path = field(default=Path(), repr=False)

    def __post_init__(self) -> None:
        if bool(self.show) == (self.crop is not None):
            raise InputError("a picture has either show or crop")
        if len(self.corners) != 4 or not (0 <= self.border <= 1 and 0 <= self.gain <= 2):
            raise InputError(
                "a picture has four corners, a border from 0 to 1 and a gain from 0 to 2"
            )
        if not any(0 <= x <= 1 and 0 <= y <= 1 for x, y in self.corners) or any(
            max(abs(x), abs(y)) > FAR for x, y in self.corners
        ):
            raise InputError("the picture lies outside the frame; move its corners")
        if self.crop is not None and not _is_part(*self.crop):
            raise InputError(
                f"a picture's crop is left, top, right, bottom, fractions of the frame between 0 "
                f"and 1, not {list(self.crop)}"
            )

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        height, width = frame.shape[:2]
        card = card_of(self._shown(frame), self.border, self.gain)
        layer = on_plane(
            card, tuple((x * width - 0.5, y * height - 0.5) for x, y in self.corners), height, width
        )
        return laid(frame, layer, kept_pixels(self.behind, frame, scene))

    def _shown(self, frame: Frames) -> Rgba:
        if self.crop is None:
            return cut_out(self.show, self.folder)
        height, width = frame.shape[:2]
        left, top, right, bottom = (
            round(part * size) for part, size in zip(self.crop, (width, height) * 2, strict=True)
        )
        part = frame[top:bottom, left:right]
        if min(part.shape[:2]) < 2:
            raise InputError("the picture's crop is smaller than 2 pixels; make it larger")
        return np.concatenate([part, np.full((*part.shape[:2], 1), 255, np.uint8)], -1)


def _is_part(left: float, top: float, right: float, bottom: float) -> bool:
    return 0 <= left < right <= 1 and 0 <= top < bottom <= 1


def card_of(shown: Rgba, border: float, gain: float) -> Rgba:
    """The picture on white paper of the given brightness, with a rim of `border` of its longer
    side."""
    rows, columns = shown.shape[:2]
    rim = round(border * max(rows, columns))
    paper = np.full((rows + 2 * rim, columns + 2 * rim, 3), 255.0)
    inner = paper[rim : rim + rows, rim : rim + columns]
    inner += shown[..., 3:] / 255 * (shown[..., :3] - inner)
    opaque = np.full((*paper.shape[:2], 1), 255.0)
    return np.concatenate([np.clip(paper * gain, 0, 255), opaque], -1).round().astype(np.uint8)


def _cut(frame: Frames, mask: Pixels) -> Rgba:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.concatenate(
        [frame[window], np.where(mask[window], 255, 0).astype(np.uint8)[..., None]], -1
    )


def _foot(mask: Pixels) -> tuple[float, float]:
    """Column of the middle and row below the last of a mask's box."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (columns[0] + columns[-1] + 1) / 2, float(rows[-1] + 1)
