"""Sampling a picture at places that are no whole pixels: a plane seen in perspective, and a camera
that moved."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from worldgym.errors import InputError
from worldgym.tasks.edits.colour import to_bytes
from worldgym.tasks.edits.masks import Points
from worldgym.tasks.edits.picture_files import Rgba
from worldgym.types import Frames

Numbers = npt.NDArray[np.float64]
FINER = 4  # samples a pixel and axis along the border of a plane


def sample(frame: npt.NDArray[np.uint8], x: Numbers, y: Numbers) -> Numbers:
    """Bilinear, at columns x and rows y [...] => float64 [..., C] in grey levels; beyond the border
    its last pixel is repeated."""
    channels = [
        ndimage.map_coordinates(frame[..., c].astype(np.float64), [y, x], order=1, mode="nearest")
        for c in range(frame.shape[-1])
    ]
    return np.stack(channels, -1)


def moved(frame: Frames, shift: tuple[float, float], zoom: float, angle: float) -> Frames:
    """The frame of a camera that turned by `angle` degrees and came nearer by `zoom`; its picture
    moved by `shift`, fractions."""
    height, width = frame.shape[:2]
    turn = np.deg2rad(angle)
    x, y = np.meshgrid(
        np.arange(width) - (width - 1) / 2 - shift[0] * width,
        np.arange(height) - (height - 1) / 2 - shift[1] * height,
    )
    back_x = (x * np.cos(turn) + y * np.sin(turn)) / zoom + (width - 1) / 2
    back_y = (-x * np.sin(turn) + y * np.cos(turn)) / zoom + (height - 1) / 2
    return to_bytes(sample(frame, back_x, back_y))


def homography(corners: Points) -> Numbers:
    """[3, 3] that takes (0, 0), (1, 0), (1, 1), (0, 1) to the four corners (R. Hartley and A.
    Zisserman, Multiple View Geometry, section 4.1). InputError if they do not go once around an
    area."""
    points = np.array(corners)
    edges = np.roll(points, -1, 0) - points
    turns = edges[:, 0] * np.roll(edges, -1, 0)[:, 1] - edges[:, 1] * np.roll(edges, -1, 0)[:, 0]
    if not (np.all(turns > 1e-9) or np.all(turns < -1e-9)):
        raise InputError(
            "the four corners of a picture must go around it in order, and enclose an area"
        )
    rows, right = [], []
    for (u, v), (x, y) in zip(((0, 0), (1, 0), (1, 1), (0, 1)), corners, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -u * x, -v * x], [0, 0, 0, u, v, 1, -u * y, -v * y]]
        right += [x, y]
    return np.append(np.linalg.solve(np.array(rows, float), np.array(right, float)), 1.0).reshape(
        3, 3
    )


def on_plane(picture: Rgba, corners: Points, height: int, width: int) -> Numbers:
    """The picture with its corners (upper left first, clockwise) at the given places, pixels of the
    frame.

    => float64 [height, width, 4]: colour in grey levels and cover in [0, 1].
    """
    points = np.array(corners)
    back = np.linalg.inv(homography(corners))
    # about as fine as it will be seen
    size = np.maximum(np.ceil(np.ptp(points, axis=0)), 1).astype(int)
    if size[0] * 2 < picture.shape[1] or size[1] * 2 < picture.shape[0]:
        picture = np.array(
            Image.fromarray(picture).resize(
                (int(size[0]) * 2, int(size[1]) * 2), Image.Resampling.BOX
            )
        )
    left, top = np.clip(np.floor(points.min(0)).astype(int) - 1, 0, [width, height])
    right, bottom = np.clip(np.ceil(points.max(0)).astype(int) + 2, 0, [width, height])
    x, y = np.meshgrid(
        left + (np.arange((right - left) * FINER) + 0.5) / FINER - 0.5,
        top + (np.arange((bottom - top) * FINER) + 0.5) / FINER - 0.5,
    )
    u, v, w = np.einsum("ij,jhw->ihw", back, np.stack([x, y, np.ones_like(x)]))
    w = np.where(abs(w) > 1e-12, w, 1e-12)
    u, v = u / w, v / w
    inside = (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
    seen = sample(picture, u * picture.shape[1] - 0.5, v * picture.shape[0] - 0.5)
    alpha = inside * seen[..., 3] / 255
    layer = np.concatenate([seen[..., :3] * alpha[..., None], alpha[..., None]], -1)
    layer = layer.reshape(bottom - top, FINER, right - left, FINER, 4).mean((1, 3))
    layer[..., :3] /= np.maximum(layer[..., 3:], 1e-9)
    whole = np.zeros((height, width, 4))
    whole[top:bottom, left:right] = layer
    return whole
