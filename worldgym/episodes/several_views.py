"""Several cameras of one dataset: each is read as if it were the only one, and their frames are
combined as views.

A camera is named by its key in the dataset, by a part of it ("wrist" for
"observation.images.wrist"), or as NAME=KEY, where the view should have another name. The first is
the main view. An episode that lacks another one, or holds black frames alone in its place, has that
view absent: it is masked, never invented.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldgym.episodes.quality import BLACK
from worldgym.episodes.recording import AbsentCamera, Listed, Recording, Source
from worldgym.errors import InputError
from worldgym.types import ActionSpec, Frames

PARTS = re.compile(r"[./]")


@dataclass(frozen=True)
class NamedView:
    """A view, and the key of its camera in the dataset."""

    name: str
    camera: str


def named_views(asked: Sequence[str], cameras: Sequence[str], where: object) -> list[NamedView]:
    """What was asked for, found among the dataset's cameras. InputError for a camera that is not
    there or not the only one of its name, and for two views of one name."""
    found = []
    for text in asked:
        name, equals, key = text.rpartition("=")
        camera = _camera(key, cameras, where)
        found.append(NamedView(name if equals else _plain(key), camera))
    names = [view.name for view in found]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f'{where}: two views are called "{double}"; rename one with NAME=CAMERA')
    return found


def _camera(key: str, cameras: Sequence[str], where: object) -> str:
    if key in cameras:
        return key
    found = [camera for camera in cameras if key in PARTS.split(camera)]
    if len(found) != 1:
        what = "several cameras" if found else "no camera"
        raise InputError(f'{where}: {what} "{key}"; choose among {", ".join(cameras)}')
    return found[0]


def _plain(key: str) -> str:
    """ "observation.images.cam high" => "cam_high"."""
    return re.sub(r"[^\w-]", "_", PARTS.split(key)[-1], flags=re.ASCII)


@dataclass(frozen=True)
class ViewsSource:
    """`worldgym.episodes.recording.Source` over one source a view, the main one first."""

    views: Sequence[NamedView]
    sources: Sequence[Source]

    @property
    def kind(self) -> str:
        return self.sources[0].kind

    @property
    def cameras(self) -> tuple[str, ...]:
        return self.sources[0].cameras

    @property
    def camera(self) -> str:
        return self.sources[0].camera

    @property
    def spec(self) -> ActionSpec | None:
        return self.sources[0].spec

    def listing(self) -> Sequence[Listed]:
        return self.sources[0].listing()

    def read(self, name: str) -> Recording:
        main = self.sources[0].read(name)
        others = {
            view.name: _frames(source, name, view, main)
            for view, source in zip(self.views[1:], self.sources[1:], strict=True)
        }
        return replace(main, view=self.views[0].name, others=others)


def cameras_read(source: Source) -> tuple[str, ...]:
    """Keys of the cameras that a source reads."""
    if isinstance(source, ViewsSource):
        return tuple(view.camera for view in source.views)
    return (source.camera,)


def _frames(source: Source, name: str, view: NamedView, main: Recording) -> Frames | None:
    """uint8 [N, H, W, 3], as many and as large as those of the main view; None = absent."""
    try:
        frames = source.read(name).frames
    except AbsentCamera:
        return None
    if np.array([frame.mean() for frame in frames]).max(initial=0.0) < BLACK:
        return None
    if frames.shape != main.frames.shape:
        (n, height, width), (own, own_height, own_width) = main.frames.shape[:3], frames.shape[:3]
        raise InputError(
            f"{main.source}: {own} frames of {own_width}x{own_height} in the view {view.name}, and "
            f"{n} of {width}x{height} in the main one; give a size to resize to, or leave the view "
            f"out"
        )
    return frames
