"""Video in and out, by PyAV alone (two video stacks in one process crash; see docs/decisions).

PyAV is loaded when the first video is: a machine that only trains, from latents or a pack, need not
have it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from worldgym.errors import InputError
from worldgym.io.files import unreadable
from worldgym.io.images import check_bytes, resized, stack
from worldgym.types import Frames, separate_views

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

# x264's tree of macroblocks reads memory that nobody wrote: equal frames then gave other bytes
STABLE = "mbtree=0"
MAX_FRAMES = 20_000  # a longer file is refused before it fills the memory
MAX_PIXELS = 3840 * 2160  # a frame; checked before anything is decoded
Times = npt.NDArray[np.float64]
Stamps = npt.NDArray[np.int64]


def encode_mp4(
    frames: Frames, fps: float, crf: int = 16, pixel_format: str = "yuv420p", key_every: int = 10
) -> bytes:
    """frames uint8 [T, H, W, 3] RGB => the bytes of an h264 mp4, the same ones for the same frames.

    Where colour resolution is halved, an odd height or width grows by one: the last row or column
    is shown twice. crf 0-51, lower is finer. "yuv420p" plays in every browser and halves the colour
    resolution; "yuv444p" keeps it. key_every: frames between key frames; more is smaller, fewer
    lets a reader start in the middle sooner."""
    import av

    if pixel_format != "yuv444p":
        frames = np.pad(
            frames,
            ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)),
            mode="edge",
        )
    height, width = frames.shape[1:3]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.options = {
            "crf": str(crf),
            "g": str(key_every),
            "preset": "medium",
            "threads": "1",
            "x264-params": STABLE,
        }
        for array in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


@dataclass(frozen=True)
class Film:
    """frames: uint8 [N, H, W, 3] RGB, upright.   times: float64 [N], seconds at which the file
    shows them; None = not said.

    notes: what was done to the frames.
    """

    frames: Frames
    times: Times | None = None
    notes: tuple[str, ...] = ()


def decode_video(path: Path, size: tuple[int, int] | None = None) -> Frames:
    """Every frame of a video file as uint8 [T, H, W, 3] RGB, resized to `size` (height, width) if
    given.

    InputError names a file that cannot be read.
    """
    return read_film(path, size).frames


def views_of(frames: Frames, views: Sequence[str], where: object) -> Frames:
    """uint8 [T, H, V * W, 3], a video that shows views side by side => [T, V, H, W, 3]. InputError
    where it is not as wide as these views are."""
    if frames.shape[2] % max(len(views), 1) or not views:
        raise InputError(
            f"{where}: {frames.shape[2]} columns are not the views {', '.join(views)} side by "
            f"side; restore the video from a copy"
        )
    return separate_views(frames, len(views))


def read_film(path: Path, size: tuple[int, int] | None = None) -> Film:
    """A whole video file. Frames are turned as the file asks. InputError names a file that cannot
    be read."""
    frames = list[Frames]()
    times = list[float | None]()
    turned = set[int]()
    total = 0
    for picture in _pictures(path):
        frame = _upright(picture, size)
        total += frame.nbytes
        check_bytes(total, str(path))
        frames.append(frame)
        times.append(picture.time)
        turned.add(picture.rotation)
        if len(frames) > MAX_FRAMES:
            raise InputError(f"{path}: more than {MAX_FRAMES} frames; cut it into episodes first")
    if not frames:
        raise InputError(f"{path}: the video holds no frame; re-record or remove it")
    known = [time for time in times if time is not None]
    clock = np.array(known, np.float64) if len(known) == len(frames) else None
    return Film(stack(frames, str(path)), clock, _turned(turned))


@dataclass(frozen=True)
class VideoFacts:
    """size: (height, width) in pixels.   fps: frames per second, None where the file does not
    say.   codec, pixel_format: FFmpeg's names, e.g. "h264" and "yuv420p"."""

    size: tuple[int, int]
    fps: float | None
    codec: str
    pixel_format: str


def video_facts(path: Path) -> VideoFacts:
    """What a video file says of itself; no frame is decoded. InputError names a file that cannot be
    read."""
    with _opened(path) as (_, stream):
        context = stream.codec_context
        if not (context.width > 0 and context.height > 0):
            raise InputError(f"{path}: a video of unknown coding; re-encode it as h264")
        rate = stream.average_rate
        fps = float(rate) if rate else None
        return VideoFacts((context.height, context.width), fps, context.name, context.pix_fmt or "")


def upright_size(path: Path) -> tuple[int, int]:
    """(height, width) of the frames as they are shown, turned where the file asks for that; one
    frame is decoded."""
    for picture in _pictures(path):
        size = (picture.height, picture.width)
        return size[::-1] if _quarters(picture.rotation) % 2 else size
    raise InputError(f"{path}: the video holds no frame; re-record or remove it")


def frame_stamps(path: Path) -> Stamps:
    """int64 [N]: when each frame of the file is shown, in units of its clock and in order. Nothing
    is decoded."""
    with _opened(path) as (container, stream):
        packets = [
            packet for packet in container.demux(stream) if packet.size and not packet.is_discard
        ]
        stamps = [packet.pts for packet in packets if packet.pts is not None]
        if len(stamps) < len(packets):
            raise InputError(f"{path}: some of its frames have no time stamp; re-encode it")
        return np.sort(np.array(stamps, np.int64))


def seconds_a_tick(path: Path) -> float:
    """The unit of `frame_stamps`."""
    with _opened(path) as (_, stream):
        return float(stream.time_base or 0)


def read_clip(path: Path, stamps: Stamps, size: tuple[int, int] | None = None) -> Film:
    """The frames with these stamps, some that follow each other among those of `frame_stamps`; the
    others are not kept."""
    frames = list[Frames]()
    shown = list[int]()
    turned = set[int]()
    for picture in _pictures(path, int(stamps[0])):
        if picture.pts is None or picture.pts < stamps[0]:
            continue
        if picture.pts > stamps[-1]:
            break
        frame = _upright(picture, size)
        check_bytes(len(stamps) * frame.nbytes, str(path))
        frames.append(frame)
        shown.append(picture.pts)
        turned.add(picture.rotation)
    if shown != stamps.tolist():
        raise InputError(
            f"{path}: {len(frames)} of {len(stamps)} frames can be decoded; the file is cut off or "
            f"damaged"
        )
    return Film(
        stack(frames, str(path)), stamps.astype(np.float64) * seconds_a_tick(path), _turned(turned)
    )


def clock_notes(times: Times | None, fps: float | None = None) -> tuple[str, ...]:
    """What is odd about the clock of an episode's frames: that it is uneven, or on average not of
    the rate `fps`."""
    if times is None or len(times) < 3:
        return ()
    gaps = np.diff(times)
    usual = float(times[-1] - times[0]) / (len(times) - 1)
    notes = []
    if gaps.min() < 0.5 * usual or gaps.max() > 1.5 * usual:
        notes.append(
            "the frames of the video are unevenly spaced in time: they are taken as even, one an "
            "action"
        )
    if fps and usual > 0.0 and not 0.95 < usual * fps < 1.05:
        notes.append(
            f"the video shows {1 / usual:.3g} frames per second, the metadata say {fps:g}: the "
            f"metadata are used"
        )
    return tuple(notes)


def _turned(rotations: set[int]) -> tuple[str, ...]:
    return tuple(
        f"frames are turned by {turn} degrees, as the video asks"
        for turn in sorted(rotations)
        if _quarters(turn)
    )


def _quarters(rotation: int) -> int:
    """Quarter turns against the clock, 0 to 3, of a rotation in degrees."""
    return round(rotation / 90) % 4


def _upright(picture: VideoFrame, size: tuple[int, int] | None) -> Frames:
    frame = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
    if quarters := _quarters(picture.rotation):
        frame = np.ascontiguousarray(np.rot90(frame, quarters))
    return resized(frame, size)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A file and its video; whatever PyAV raises while it is read becomes one sentence."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise InputError(f"{path}: a video of unknown coding; re-encode it as h264")
            stream.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            yield container, stream
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: there is no such file; correct its name or leave it out"
        ) from error
    except (av.FFmpegError, IndexError, OSError, ValueError, OverflowError) as error:
        raise unreadable(path, f"not a readable video ({error}); re-record or remove it") from error


def _pictures(path: Path, stamp: int | None = None) -> Iterator[VideoFrame]:
    """Decoded frames in order of time, from the key frame before `stamp` on."""
    with _opened(path) as (container, stream):
        if stamp is not None:
            container.seek(stamp, stream=stream)
        yield from container.decode(stream)
