"""Laying cut-outs on a frame: alpha, a soft shadow below, and the robot in front."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from worldgym.errors import InputError
from worldgym.tasks.edits.colour import to_bytes
from worldgym.tasks.edits.masks import Pixels
from worldgym.tasks.edits.picture_files import Rgba
from worldgym.types import Frames

Numbers = npt.NDArray[np.float64]


def scaled(cutout: Rgba, height: float, angle: float = 0.0) -> Rgba:
    """The cut-out `height` pixels high, then turned anticlockwise by `angle` degrees. InputError if
    it would vanish."""
    rows = max(1, round(height))
    columns = max(1, round(cutout.shape[1] * rows / cutout.shape[0]))
    if rows < 3 or columns < 2:
        raise InputError(
            f"the object would be {columns}x{rows} pixels; make it larger, or the frame"
        )
    image = Image.fromarray(cutout).resize(
        (columns, rows),
        Image.Resampling.BOX if rows < cutout.shape[0] else Image.Resampling.BICUBIC,
    )
    if angle:
        image = (
            image.convert("RGBa")
            .rotate(angle, Image.Resampling.BICUBIC, expand=True)
            .convert("RGBA")
        )
    return np.array(image)


def placed(cutout: Rgba, foot: tuple[float, float], height: int, width: int) -> Numbers:
    """A layer [height, width, 4], colour in grey levels and cover in [0, 1]; the middle of the
    cut-out's lower edge is at `foot` (column, row). InputError if no pixel of it lies in the
    frame."""
    rows, columns = cutout.shape[:2]
    left, top = round(foot[0] - columns / 2), round(foot[1]) - rows
    layer = np.zeros((height, width, 4))
    y, x = (
        slice(max(top, 0), min(top + rows, height)),
        slice(max(left, 0), min(left + columns, width)),
    )
    if y.start >= y.stop or x.start >= x.stop:
        raise InputError("the object lies outside the frame; move it")
    layer[y, x] = cutout[y.start - top : y.stop - top, x.start - left : x.stop - left]
    layer[..., 3] /= 255
    if not layer[..., 3].any():
        raise InputError("the object lies outside the frame; move it")
    return layer


def laid(frame: Frames, layer: Numbers, behind: Pixels | None = None) -> Frames:
    """The layer over the frame, but behind the pixels [H, W] of what stands before it. InputError
    if nothing is seen of it."""
    cover = layer[..., 3] if behind is None else np.where(behind, 0.0, layer[..., 3])
    if not (cover > 0).any():
        raise InputError("the object is completely hidden by what is in front of it; move it")
    return to_bytes(frame + cover[..., None] * (layer[..., :3] - frame))


def shaded(frame: Frames, layer: Numbers, strength: float, behind: Pixels | None = None) -> Frames:
    """The frame darkened around the foot of the layer by at most `strength`: a blurred ellipse, a
    little to the right."""
    rows, columns = np.nonzero(layer[..., 3] > 0.5)
    if strength == 0 or len(rows) == 0:
        return frame
    wide = (columns.max() - columns.min() + 1) / 2
    foot = rows.max() + 0.5
    x, y = np.meshgrid(np.arange(frame.shape[1]), np.arange(frame.shape[0]))
    across, along = (
        (x - (columns.min() + columns.max()) / 2 - 0.3 * wide) / (1.25 * wide),
        (y - foot + 0.2 * wide) / (0.5 * wide),
    )
    dark = strength * ndimage.gaussian_filter(
        (across**2 + along**2 <= 1).astype(np.float64), max(0.25 * wide, 0.5)
    )
    if behind is not None:
        dark = np.where(behind, 0.0, dark)
    return to_bytes(frame * (1 - dark)[..., None])
