"""What the files say wrongly or not at all: pictures upside down, on their side, or with red and
blue exchanged, and states without names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldgym.episodes.recording import Listed, Recording, Source, SourceOptions
from worldgym.errors import InputError
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


def with_state_names(recording: Recording, names: Sequence[str]) -> Recording:
    """With these names of the state's numbers, whatever the files say; () changes nothing.
    InputError for another number of names."""
    if not names:
        return recording
    if recording.states is None:
        raise InputError(f"{recording.source}: holds no states; leave --state-names out")
    if len(names) != recording.states.shape[1]:
        raise InputError(
            f"{recording.source}: a state has {recording.states.shape[1]} numbers, and "
            f"--state-names names {len(names)}; give one name per number"
        )
    facts = replace(recording.facts, state_names=tuple(names), no_pose="")
    return replace(recording, facts=facts)


def is_corrected(options: SourceOptions) -> bool:
    """Whether anything of the recordings is changed."""
    pictures = options.flip or options.rotate or options.swap_red_blue
    return bool(pictures or options.state_names)


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
        recording = with_state_names(self.source.read(name), self.options.state_names)
        return replace(recording, frames=corrected(recording.frames, self.options))
