"""Folders of NAME.mp4 with NAME.npz: the form of the released world model's sample data.

The npz holds the actions as `arr_0`, `actions` or `action`, one row a frame, and perhaps `states` or `state`. The rate in the
mp4 is not believed: released converters write a constant there. It is the convention's, or what the user says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from worldgym.actions.conventions import load_convention
from worldgym.episodes.readers.npz import read_npz
from worldgym.episodes.recording import Listed, Recording, SourceOptions, distinct, no_episode
from worldgym.episodes.video import decode_video
from worldgym.errors import InputError
from worldgym.types import Actions, ActionSpec

ACTIONS, STATES = ("actions", "action", "arr_0"), ("states", "state")


class Mp4NpzSource:
    """`worldgym.episodes.recording.Source` over a folder and those below it. An unpaired file is listed, and fails when read."""

    kind = "mp4 + npz"
    cameras = ("video",)
    camera = "video"

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        self.root, self.options = root, options
        self.spec: ActionSpec | None = load_convention(options.convention) if options.convention else None
        options.choose(self.cameras, root)
        stems = sorted({path.relative_to(root).with_suffix("") for kind in ("mp4", "npz") for path in root.rglob(f"*.{kind}")})
        self.stems = dict(zip(distinct("-".join(stem.parts) for stem in stems), stems, strict=True))

    def listing(self) -> Sequence[Listed]:
        return [Listed(name) for name in self.stems]

    def read(self, name: str) -> Recording:
        if name not in self.stems:
            raise no_episode(self.root, name)
        stem = self.root / self.stems[name]
        video, numbers = (stem.with_name(f"{stem.name}.{kind}") for kind in ("mp4", "npz"))
        arrays = read_npz(numbers)
        actions = _pick(arrays, ACTIONS)
        if actions is None:
            raise InputError(f"{numbers}: holds {', '.join(arrays) or 'nothing'}; name its array of actions {ACTIONS[0]}")
        frames = decode_video(video, self.options.size)
        return Recording(frames, actions, _pick(arrays, STATES), "", str(video), self.options.fps)


def _pick(arrays: dict[str, Actions], names: Sequence[str]) -> Actions | None:
    return next((arrays[name] for name in names if name in arrays), None)
