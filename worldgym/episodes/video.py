"""Video in and out, by PyAV alone (two video stacks in one process crash; see docs/decisions).

PyAV is loaded when the first video is: a machine that only trains, from latents or a pack, need not have it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from worldgym.episodes.images import check_bytes, fit, stack
from worldgym.errors import InputError
from worldgym.types import Frames

STABLE = "mbtree=0"  # x264's tree of macroblocks reads memory that nobody wrote: equal frames then gave other bytes
MAX_FRAMES = 20_000  # a longer file is refused before it fills the memory
MAX_PIXELS = 3840 * 2160  # a frame; held against before anything is decoded


def encode_mp4(frames: Frames, fps: float, crf: int = 16, pixel_format: str = "yuv420p", key_every: int = 10) -> bytes:
    """frames uint8 [T, H, W, 3] RGB, H and W even => the bytes of an h264 mp4, the same ones for the same frames.

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
        stream.options = {"crf": str(crf), "g": str(key_every), "preset": "medium", "threads": "1", "x264-params": STABLE}
        for array in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def decode_video(path: Path, size: tuple[int, int] | None = None) -> Frames:
    """Every frame of a video file as uint8 [T, H, W, 3] RGB, resized to `size` (height, width) if given.

    InputError names a file that cannot be read.
    """
    frames: list[Frames] = []
    for _, frame in _decode(path, size, None):
        frames.append(frame)
        if len(frames) > MAX_FRAMES:
            raise InputError(f"{path}: more than {MAX_FRAMES} frames; cut it into episodes first")
    if not frames:
        raise InputError(f"{path}: the video holds no frame; re-record or remove it")
    return stack(frames, str(path))


@dataclass(frozen=True)
class VideoFacts:
    """size: (height, width) in pixels.   fps: frames a second, None where the file does not say.   codec, pixel_format: FFmpeg's
    names, e.g. "h264" and "yuv420p"."""

    size: tuple[int, int]
    fps: float | None
    codec: str
    pixel_format: str


def video_facts(path: Path) -> VideoFacts:
    """What a video file says of itself; no frame is decoded. InputError names a file that cannot be read."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            context, rate = stream.codec_context, stream.average_rate
            if context is None or not (context.width > 0 and context.height > 0):
                raise InputError(f"{path}: a video of unknown coding; re-encode it as h264")
            fps = float(rate) if rate else None
            return VideoFacts((context.height, context.width), fps, context.name, context.pix_fmt or "")
    except (av.FFmpegError, IndexError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable video ({error}); re-record or remove it") from error


def decode_clip(path: Path, start: float, count: int, fps: float, size: tuple[int, int] | None = None) -> Frames:
    """`count` frames of a video that holds many episodes, from `start` seconds on: uint8 [count, H, W, 3] RGB.

    Frame i is the one shown at start + i / fps, found by its time stamp within half a frame, never by counting.
    """
    frames: list[Frames] = []
    for time, frame in _decode(path, size, start):
        due = start + len(frames) / fps
        if time < due - 0.5 / fps:
            continue
        if time > due + 0.5 / fps:
            break
        check_bytes(count * frame.nbytes, str(path))
        frames.append(frame)
        if len(frames) == count:
            return stack(frames, str(path))
    raise InputError(f"{path}: {len(frames)} of {count} frames from second {start:g} on; the file is cut off or of another rate")


def _decode(path: Path, size: tuple[int, int] | None, start: float | None) -> Iterator[tuple[float, Frames]]:
    """(seconds, frame) in order of time, from the key frame before `start`. Bounded in pixels, and in bytes if all are kept."""
    import av

    total = 0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise InputError(f"{path}: a video of unknown coding; re-encode it as h264")
            stream.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            if start and stream.time_base:
                container.seek(int(start / stream.time_base), stream=stream)
            for picture in container.decode(stream):
                frame = fit(np.asarray(picture.to_ndarray(format="rgb24"), np.uint8), size)
                if start is None:
                    total += frame.nbytes
                    check_bytes(total, str(path))
                yield float(picture.time or 0.0), frame
    except (av.FFmpegError, IndexError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable video ({error}); re-record or remove it") from error
