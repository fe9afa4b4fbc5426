"""Folders of NAME.mp4 with NAME.npz: the form of the released world model's sample data. Other
containers than mp4 are read too.

The npz holds the actions as `arr_0`, `actions` or `action`, one row per frame, and perhaps `states`
or `state`. The rate in the video file is not used: released converters write a constant there.
It is the convention's, or what the user says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from worldgym.actions.conventions import load_convention
from worldgym.episodes.file_names import distinct
from worldgym.episodes.instructions import called
from worldgym.episodes.readers.keys import listed_keys, side_by_side, wanted
from worldgym.episodes.readers.npz import array_names, read_npz
from worldgym.episodes.recording import Listed, Recording, SourceOptions, no_episode
from worldgym.errors import InputError
from worldgym.io.video import clock_notes, read_film
from worldgym.types import ActionSpec

VIDEOS = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v")
ACTIONS, STATES = ("actions", "action", "arr_0"), ("states", "state")


class Mp4NpzSource:
    """`worldgym.episodes.recording.Source` over a folder and those below it. An unpaired file is
    listed, and fails when read."""

    kind = "mp4 + npz"
    cameras = ("video",)
    camera = "video"

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        self.root = root
        self.options = options
        self.spec: ActionSpec | None = (
            load_convention(options.convention) if options.convention else None
        )
        options.choose(self.cameras, root)
        files = sorted(path for path in root.rglob("*") if path.suffix.lower() in (*VIDEOS, ".npz"))
        stems = sorted({path.relative_to(root).with_suffix("") for path in files})
        self.stems = dict(zip(distinct("-".join(stem.parts) for stem in stems), stems, strict=True))
        self.files = {
            (path.relative_to(root).with_suffix(""), path.suffix.lower()): path for path in files
        }

    def listing(self) -> Sequence[Listed]:
        return [Listed(name) for name in self.stems]

    def read(self, name: str) -> Recording:
        if name not in self.stems:
            raise no_episode(self.root, name)
        video, numbers = self._file(name, VIDEOS), self._file(name, (".npz",))
        there = array_names(numbers)
        actions = wanted(self.options.action, ACTIONS, there, "array", "--action", numbers)
        if not actions:
            raise InputError(
                f"{numbers}: holds {listed_keys(there) or 'nothing'}; name its array of actions "
                f"with "
                f"--action"
            )
        states = wanted(self.options.state, STATES, there, "array", "--state", numbers)
        arrays = read_npz(numbers, {*actions, *states})
        film = read_film(video, self.options.size)
        instruction, facts = called(self.options, ())
        return Recording(
            film.frames,
            side_by_side(actions, arrays, numbers),
            side_by_side(states, arrays, numbers) if states else None,
            instruction,
            str(video),
            self.options.fps,
            facts=replace(
                facts, times=film.times, notes=film.notes, contradictions=clock_notes(film.times)
            ),
        )

    def _file(self, name: str, suffixes: Sequence[str]) -> Path:
        """The first there is of an episode's files, or where it should be."""
        stem = self.stems[name]
        missing = (self.root / stem).with_name(f"{stem.name}{suffixes[0]}")
        return next(
            (self.files[stem, suffix] for suffix in suffixes if (stem, suffix) in self.files),
            missing,
        )
