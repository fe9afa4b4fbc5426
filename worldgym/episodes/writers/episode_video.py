"""Video files that hold one episode after another."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from worldgym.io.video import STABLE
from worldgym.types import Frames

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream


class EpisodeVideo:
    """One h264 file that episodes are appended to, each from its own key frame."""

    def __init__(self, path: Path, fps: float, size: tuple[int, ...]) -> None:
        import av

        height, width = size
        self.fps = fps
        self.count = 0
        self.bytes = 0
        self.container: OutputContainer = av.open(
            str(path), "w", format="mp4", options={"movflags": "faststart"}
        )
        self.stream: VideoStream = self.container.add_stream(
            "libx264", rate=Fraction(fps).limit_denominator(1000)
        )
        self.stream.width = width
        self.stream.height = height
        self.stream.pix_fmt = "yuv420p"
        self.stream.options = {
            "crf": "18",
            "g": "10",
            "preset": "medium",
            "threads": "1",
            "x264-params": STABLE,
        }

    def append(self, frames: Frames) -> float:
        """=> the second in the file at which the first of the frames is shown."""
        from av.video.frame import PictureType, VideoFrame

        start = self.count / self.fps
        for i, array in enumerate(frames):
            picture = VideoFrame.from_ndarray(array, format="rgb24")
            picture.pict_type = PictureType.NONE if i else PictureType.I
            packets = self.stream.encode(picture)
            self.bytes += sum(packet.size for packet in packets)
            self.container.mux(packets)
        self.count += len(frames)
        return start

    def close(self) -> None:
        self.container.mux(self.stream.encode())
        self.container.close()


def even_sides(frames: Frames) -> Frames:
    """[N, H, W, 3] with H and W even."""
    rows, columns = frames.shape[1] % 2, frames.shape[2] % 2
    return (
        np.pad(frames, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge")
        if rows or columns
        else frames
    )
