"""Video in and out, by PyAV alone (two video stacks in one process crash; see docs/decisions).

PyAV is loaded when the first video is: a machine that only trains, from latents or a pack, need not have it.
"""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np

from worldgym.errors import InputError
from worldgym.types import Frames

MAX_FRAMES = 20_000  # a longer file is refused before it fills the memory


def encode_mp4(frames: Frames, fps: float, crf: int = 16, pixel_format: str = "yuv420p", key_every: int = 10) -> bytes:
    """frames uint8 [T, H, W, 3] RGB, H and W even => the bytes of an h264 mp4.

    crf 0-51, lower is finer. "yuv420p" plays in every browser and halves the colour resolution; "yuv444p" keeps it.
    key_every: frames between key frames; more is smaller, fewer lets a reader start in the middle sooner.
    """
    import av

    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise InputError(f"h264 needs even sizes, but the frames are {width}x{height}: pad or resize them by one pixel")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.options = {"crf": str(crf), "g": str(key_every), "preset": "medium", "threads": "1"}
        for array in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def decode_video(path: Path) -> Frames:
    """Every frame of a video file as uint8 [T, H, W, 3] RGB. InputError names a file that cannot be read."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            frames = []
            for frame in container.decode(stream):
                frames.append(frame.to_ndarray(format="rgb24"))
                if len(frames) > MAX_FRAMES:
                    raise InputError(f"{path}: more than {MAX_FRAMES} frames; cut it into episodes first")
    except (av.FFmpegError, IndexError, OSError) as error:
        raise InputError(f"{path}: not a readable video ({error}); re-record or remove it") from error
    if not frames:
        raise InputError(f"{path}: the video holds no frame; re-record or remove it")
    return np.stack(frames)
