"""Pictures that were stored wrongly: upside down, on their side, or with red and blue exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldgym.episodes.recording import Listed, Recording, Source, SourceOptions
from worldgym.types import ActionSpec, Frames


def corrected(frames: Frames, options: SourceOptions) -> Frames:
    """Flipped, then turned clockwise, then with red and blue exchanged, each where it is asked for.
    [N, H, W, 3]."""
    if options.flip in ("vertical", "both"):
        frames = frames[:, ::-1]
    if options.flip in ("horizontal", "both"):
        frames = frames[:, :, ::-1]
    if options.rotate:
        frames = np.rot90(frames, -options.rotate // 90, axes=(1, 2))
    if options.swap_red_blue:
        frames = frames[..., ::-1]
    return np.ascontiguousarray(frames)


def changes_pictures(options: SourceOptions) -> bool:
    return bool(options.flip or options.rotate or options.swap_red_blue)


def as_stored(options: SourceOptions) -> SourceOptions:
    """For the reader below: a size is that of the turned picture."""
    if options.size and options.rotate in (90, 270):
        return replace(options, size=(options.size[1], options.size[0]))
    return options


@dataclass(frozen=True)
class CorrectedSource:
    """`worldgym.episodes.recording.Source` over another one."""

    source: Source
    options: SourceOptions

    @property
    def kind(self) -> str:
        return self.source.kind

    @property
    def cameras(self) -> tuple[str, ...]:
        return self.source.cameras

    @property
    def camera(self) -> str:
        return self.source.camera

    @property
    def spec(self) -> ActionSpec | None:
        return self.source.spec

    def listing(self) -> Sequence[Listed]:
        return self.source.listing()

    def read(self, name: str) -> Recording:
        recording = self.source.read(name)
        return replace(recording, frames=corrected(recording.frames, self.options))
