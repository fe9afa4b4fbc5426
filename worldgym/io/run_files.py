"""The files of a run that are next to its log, relative to its folder."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os.path import exists
from pathlib import Path, PurePosixPath
from typing import Protocol

from worldgym.io.files import write_together

LOST_NAME = "lost.jsonl"  # in RUN: batches that were lost with their workers, and run again
LABELS_NAME = "labels.jsonl"  # there too: what people said of its videos
PREFERENCES_NAME = "preferences.jsonl"  # and of pairs of them


class RunFiles(Protocol):
    """Where the files of trials are put, by their names in the run."""

    def put(self, files: Mapping[str, bytes]) -> None: ...
    def drop(self, name: str) -> None: ...
    def __contains__(self, name: str) -> bool: ...


@dataclass(frozen=True)
class FolderFiles:
    """In a run's folder, on the disk when `put` returns."""

    run: Path

    def put(self, files: Mapping[str, bytes]) -> None:
        write_together((self.run / name, data) for name, data in files.items())

    def drop(self, name: str) -> None:
        (self.run / name).unlink(missing_ok=True)

    def __contains__(self, name: str) -> bool:
        return (self.run / name).exists()


@dataclass(frozen=True)
class HeldFiles:
    """In memory, until they are sent to where the run's folder is."""

    held: dict[str, bytes] = field(default_factory=dict)

    def put(self, files: Mapping[str, bytes]) -> None:
        self.held.update(files)

    def drop(self, name: str) -> None:
        self.held.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self.held


def check_inside(name: str) -> None:
    """ValueError for a file outside the run's folder."""
    if name.startswith("/") or (".." in name and ".." in PurePosixPath(name).parts):
        raise ValueError(f"{reprlib.repr(name)} lies outside the run's folder")


def files_named(video: str | None, truth_video: str | None, frame: str | None) -> tuple[str, ...]:
    """The files of a trial, from those that its line in the log names. ValueError for one outside
    the run's folder."""
    for name in filter(None, (video, truth_video, frame)):
        check_inside(name)
    actions = actions_beside(video) if video else None
    return tuple(filter(None, (video, actions, truth_video, frame)))


def actions_beside(video: str) -> str:
    """The file of a rollout's actions, from that of its video: "videos/p/door-0.mp4" =>
    "videos/p/door-0.npy"."""
    return f"{video.removesuffix('.mp4')}.npy"


def unjudged_name(policy: str, task: str, repeat: int) -> str:
    """The file of a rollout's frames, until there is a verdict on it."""
    return f"unjudged/{policy}/{task}-{repeat}.npy"


def copy_missing(names: Iterable[str], run: Path, out: Path) -> None:
    """Those that `run` has and `out` lacks, together."""
    there, here = f"{run}/", f"{out}/"
    missing = (name for name in names if not exists(here + name) and exists(there + name))
    write_together((out / name, (run / name).read_bytes()) for name in missing)
