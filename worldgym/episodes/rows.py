"""What is computed from each frame of a store (pixels, latents), kept beside it in one memory-mapped file.

    DATA.npy      [total frames, ...], the episodes one behind the other in the order of the store
    INDEX.json    which episodes: name, number of actions, bytes and time (ns) of the video; written last

Derived: both may be deleted at any time. Where episodes were added, changed or removed, the rows of the others are taken over.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.format import open_memmap

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.files import read_json, write_json

Contents = list[list[str | int]]  # [name, actions, bytes of the video, when it was written] of every episode
Spans = Mapping[str, tuple[int, int]]  # (first row, rows) of each episode
Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class RowCache:
    """data, index: its files.   what: it is, for errors.   row: dtype and shape of one row, asked for only when rows are missing.

    fill(file, missing): computes the rows of those episodes and writes them to their places in the .npy file.
    """

    data: Path
    index: Path
    what: str
    row: Callable[[], tuple[npt.DTypeLike, tuple[int, ...]]]
    fill: Callable[[Path, Spans], None]

    def open(self, store: EpisodeStore) -> tuple[Rows, Spans]:
        """=> rows [total frames, ...], read-only, and where each episode's lie; what is missing is computed first."""
        files = [(info, store.video(info.name).stat()) for info in store]
        contents: Contents = [[info.name, info.length, file.st_size, file.st_mtime_ns] for info, file in files]
        before = self._known()
        if before != contents:
            self._build(before, contents)
        return np.asarray(np.load(self.data, mmap_mode="r")), spans_of(contents)

    def _known(self) -> Contents:
        """What the files hold; none if they do not belong together."""
        if not (self.index.exists() and self.data.exists()):
            return []
        found = read_json(self.index, self.what).get("episodes", [])
        return found if all(isinstance(entry, list) and len(entry) in (3, 4) for entry in found) else []  # once names alone

    def _build(self, before: Contents, contents: Contents) -> None:
        """Into a temporary file, then index away, rows in, index in: no moment shows a wrong pair."""
        folder = self.data.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self.data.name}.")
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror}; make the store's folder writable") from error
        os.close(handle)
        temporary = Path(name)
        try:
            self._write(temporary, before, contents)
            self.index.unlink(missing_ok=True)
            temporary.chmod(0o644)
            temporary.replace(self.data)
            write_json(self.index, {"episodes": contents})
        finally:
            temporary.unlink(missing_ok=True)

    def _write(self, out: Path, before: Contents, contents: Contents) -> None:
        dtype, shape = self.row()
        places = spans_of(contents)
        rows = open_memmap(out, "w+", np.dtype(dtype), (_total(places), *shape))
        kept: Spans = {}
        if before:
            old, old_places = np.load(self.data, mmap_mode="r"), spans_of(before)
            if old.dtype == rows.dtype and old.shape == (_total(old_places), *shape):
                kept = {name: old_places[name] for name in _unchanged(before, contents)}
            for name, (start, count) in kept.items():
                first = places[name][0]
                rows[first : first + count] = old[start : start + count]
        rows.flush()
        del rows
        self.fill(out, {name: place for name, place in places.items() if name not in kept})


def _unchanged(before: Contents, contents: Contents) -> list[str]:
    """Names of the episodes that are as they were; an index without times, as once written, is compared without them."""
    held = {entry[0]: entry for entry in before}
    return [str(entry[0]) for entry in contents if entry[0] in held and entry[: len(held[entry[0]])] == held[entry[0]]]


def spans_of(contents: Contents) -> Spans:
    counts = [int(entry[1]) + 1 for entry in contents]
    starts = np.cumsum([0, *counts]).tolist()
    return {str(entry[0]): (start, count) for entry, start, count in zip(contents, starts[:-1], counts, strict=True)}


def _total(spans: Spans) -> int:
    return sum(count for _, count in spans.values())
