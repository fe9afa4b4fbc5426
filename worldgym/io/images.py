"""Still images in and out of datasets: JPEG and PNG bytes to RGB, and resizing, for video frames
too."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from worldgym.errors import InputError
from worldgym.types import Frames

MAX_SIDE = 4096  # pixels; a larger image is refused before it is decoded
MAX_BYTES = 2**29  # of one episode's decoded frames


def decode_image(data: bytes, where: str) -> Frames:
    """uint8 [H, W, 3] RGB of a JPEG or PNG. InputError names `where` it came from."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as image:
            if max(image.size) > MAX_SIDE:
                raise InputError(
                    f"{where}: an image of {image.width}x{image.height}, over {MAX_SIDE} a side; "
                    f"shrink it"
                )
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{where}: not a readable JPEG or PNG ({error}); remove or re-export the episode"
        ) from error


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
