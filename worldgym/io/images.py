"""Still images: opening whatever somebody else wrote, JPEG and PNG bytes of datasets to RGB, and
resizing, for video frames too."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from worldgym.errors import InputError
from worldgym.types import Frames

MAX_SIDE = 4096  # pixels; a larger image is refused before it is decoded
MAX_BYTES = 2**29  # of one episode's decoded frames
TURNS = {  # by EXIF's orientation: what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(
    source: Path | io.BytesIO, where: str, formats: tuple[str, ...], what: str, remedy: str
) -> Image.Image:
    """The decoded picture as it is meant to be seen, turned as its EXIF data say. InputError names
    `where` it came from.

    what: is wanted, e.g. "a PNG".   remedy: for a damaged one, e.g. "export it again".
    """
    try:
        with Image.open(source, formats=formats) as image:
            if max(image.size) > MAX_SIDE:
                raise InputError(
                    f"{where}: {image.width}x{image.height} pixels, more than {MAX_SIDE} a side; "
                    f"make it smaller"
                )
            image.load()
            if image.mode.startswith("I"):  # Pillow makes white of all above 255
                raise InputError(f"{where}: has 16-bit grey pixels; save it as plain 8-bit RGB")
            turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
            return image.copy() if turn is None else image.transpose(turn)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{where}: cannot be read as {what} ({error}); {remedy}") from error


def decode_image(data: bytes, where: str) -> Frames:
    """uint8 [H, W, 3] RGB of a JPEG or PNG. InputError names `where` it came from."""
    remedy = "remove or re-export the episode"
    picture = open_picture(io.BytesIO(data), where, ("JPEG", "PNG"), "a JPEG or PNG", remedy)
    return np.array(picture.convert("RGB"))


def upright_picture(path: Path) -> Frames:
    """uint8 [H, W, 3] of a photo. InputError for a file that is none of 8 bits."""
    formats = ("JPEG", "PNG", "WEBP", "BMP")
    picture = open_picture(path, str(path), formats, "a photo", "export it again as JPEG or PNG")
    return np.array(picture.convert("RGB"))


def cut_to_shape(frame: Frames, size: tuple[int, int]) -> Frames:
    """The middle of the frame [H, W, 3], as much of it as has the ratio of `size` (height,
    width)."""
    height, width = frame.shape[:2]
    due_height, due_width = size
    kept_height = min(height, max(1, round(width * due_height / due_width)))
    kept_width = min(width, max(1, round(height * due_width / due_height)))
    top, left = (height - kept_height) // 2, (width - kept_width) // 2
    return frame[top : top + kept_height, left : left + kept_width]


def resized(frame: Frames, size: tuple[int, int] | None) -> Frames:
    """The frame [H, W, 3] at `size` (height, width), or as it is. The aspect may change: no part of
    the scene is cut off."""
    if size is None or frame.shape[:2] == size:
        return frame
    return np.array(Image.fromarray(frame).resize((size[1], size[0]), Image.Resampling.LANCZOS))


def stack(frames: list[Frames], where: str) -> Frames:
    """[N, H, W, 3]. InputError where there is none, sizes change within the episode, or it would
    not fit the memory bound."""
    if not frames:
        raise InputError(f"{where}: holds no frame; remove or re-export the episode")
    if len({frame.shape for frame in frames}) > 1:
        raise InputError(f"{where}: frames of different sizes; give a size to resize to")
    check_bytes(len(frames) * frames[0].nbytes, where)
    return np.stack(frames)


def check_bytes(count: int, where: str) -> None:
    """InputError if the frames of one episode would take more than MAX_BYTES."""
    if count > MAX_BYTES:
        raise InputError(
            f"{where}: over {MAX_BYTES >> 20} MiB of pixels in one episode; cut it, or give a "
            f"smaller size"
        )
