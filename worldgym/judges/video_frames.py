"""Which frames of anybody's video a judge looks at, and what is odd about them."""

from __future__ import annotations

import math

import numpy as np

from worldgym.io.video import Times, clock_notes
from worldgym.types import Frames

DARK = 8  # of 255; no pixel of a black frame is lighter
ALIKE = 2  # of 255, by which coding alone changes pixels


def sampled(count: int, fps: float | None, wanted: float | None, times: Times | None) -> list[int]:
    """Numbers of the frames nearest to multiples of 1 / wanted seconds, and the last; all where
    that would be more.   times: seconds [count], None = not said; they are used where they are
    uneven."""
    if wanted is None or fps is None or wanted >= fps:
        return list(range(count))
    if times is not None and clock_notes(times):
        asked = np.arange(times[0], times[-1], 1 / wanted)
        after = np.searchsorted(times, asked).clip(1, count - 1)
        nearer = asked - times[after - 1] <= times[after] - asked
        return sorted({*(after - nearer).tolist(), count - 1})
    numbers = np.arange(0, math.ceil(count * wanted / fps)) * fps / wanted
    return sorted({*(int(n) for n in np.rint(numbers) if n < count - 0.5), count - 1})


def rate_notes(fps: float | None, wanted: float | None) -> tuple[str, ...]:
    """Where a video cannot be looked at at the rate that was asked for."""
    if wanted is None or (fps is not None and wanted <= fps * 1.01):
        return ()
    if fps is None:
        return ("the video does not say its rate: all of its frames are looked at",)
    return (f"the video has {fps:.3g} frames per second, fewer than {wanted:g}: all are looked at",)


def picture_notes(frames: Frames) -> tuple[str, ...]:
    """Where nothing can be seen to happen.   frames: uint8 [N, H, W, 3]."""
    if len(frames) == 1:
        return ("the video has one frame: nothing can be seen to happen",)
    if frames.max() <= DARK:
        return ("every frame is black",)
    spread = [np.abs(frame.astype(np.int16) - frames[0]).max() for frame in frames[1:]]
    return ("all frames are alike: nothing happens",) if max(spread) <= ALIKE else ()
