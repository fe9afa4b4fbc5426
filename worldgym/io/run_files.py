"""The files of a run that are next to its log, relative to its folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from worldgym.io.files import write_atomic


def files_named(video: str | None, truth_video: str | None, frame: str | None) -> tuple[str, ...]:
    """The files of a trial, from those that its line in the log names."""
    actions = actions_beside(video) if video else None
    return tuple(filter(None, (video, actions, truth_video, frame)))


def actions_beside(video: str) -> str:
    """The file of a rollout's actions, from that of its video: "videos/p/door-0.mp4" =>
    "videos/p/door-0.npy"."""
    return f"{video.removesuffix('.mp4')}.npy"


def copy_missing(names: Iterable[str], run: Path, out: Path) -> None:
    """Those that `run` has and `out` lacks, each whole or not at all."""
    for name in names:
        if (run / name).exists() and not (out / name).exists():
            write_atomic(out / name, (run / name).read_bytes())
