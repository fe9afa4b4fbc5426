"""What is computed from each frame of a store (pixels, latents), kept beside it in one
memory-mapped file.

    DATA.npy      [total frames, ...], the episodes one behind the other in the order of the store
    INDEX.json    which episodes: name, number of actions, bytes and time (ns) of the video; written
                  last

Derived: both may be deleted at any time. Where episodes were added, changed or removed, the rows of
the others are taken over. They lie in STORE/cache; of a store that cannot be written, in the user's
cache folder, under a digest of the store's path."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.format import open_memmap

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.files import cache_folder, read_json, write_json

Contents = list[
    list[str | int]
]  # [name, actions, bytes of the video, when it was written] of every episode
Spans = Mapping[str, tuple[int, int]]  # (first row, rows) of each episode
Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class RowCache:
    """store: whose frames they are.   data, index: names of its files.   what: it is, for errors.

    row: dtype and shape of one row, asked for only when rows are missing.
    fill(file, missing, done): computes the rows of those episodes and writes them to their places
    in the .npy file; calls done(name) behind each. What was done when it is stopped is kept."""

    store: EpisodeStore
    data: str
    index: str
    what: str
    row: Callable[[], tuple[npt.DTypeLike, tuple[int, ...]]]
    fill: Callable[[Path, Spans, Callable[[str], None]], None]

    def open(self) -> tuple[Rows, Spans]:
        """=> rows [total frames, ...], read-only, and where each episode's lie; what is missing is
        computed first."""
        if not len(self.store):
            raise InputError(f"{self.store.root}: the store holds no episode; record some first")
        files = [(info, self._video(info.name)) for info in self.store]
        contents: Contents = [
            [info.name, info.length, file.st_size, file.st_mtime_ns] for info, file in files
        ]
        folders = cache_folders(self.store)
        folder = next(
            (folder for folder in folders if self._known(folder) == contents), None
        ) or self._build(folders, contents)
        return np.asarray(np.load(folder / self.data, mmap_mode="r")), row_spans(contents)

    def _video(self, name: str) -> os.stat_result:
        video = self.store.video(name)
        try:
            return video.stat()
        except FileNotFoundError:
            raise InputError(
                f"{video}: is missing; restore it, or remove {name}.json beside it too"
            ) from None

    def _known(self, folder: Path) -> Contents:
        """What the files hold; none if they do not belong together."""
        if not ((folder / self.index).exists() and (folder / self.data).exists()):
            return []
        found = read_json(folder / self.index, self.what).get("episodes", [])
        # once names alone
        return (
            found
            if all(isinstance(entry, list) and len(entry) in (3, 4) for entry in found)
            else []
        )

    def _build(self, folders: Sequence[Path], contents: Contents) -> Path:
        """In the first folder that can be written: into a temporary file, then index away, rows in,
        index in. No moment shows a wrong pair."""
        folder, temporary, held = _temporary(folders, self.data)
        before = self._known(folder)
        done = set[str]()
        try:
            missing = self._begin(temporary, folder / self.data, before, contents)
            try:
                self.fill(temporary, missing, done.add)
            except BaseException:
                if done:
                    self._put(folder, temporary, contents, missing.keys() - done)
                raise
            self._put(folder, temporary, contents)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(held)
        return folder

    def _put(
        self, folder: Path, temporary: Path, contents: Contents, missing: Collection[str] = ()
    ) -> None:
        """missing: what the index says of these episodes is true of no video."""
        held = [[*e[:2], -1, -1] if e[0] in missing else e for e in contents]
        (folder / self.index).unlink(missing_ok=True)
        temporary.chmod(0o644)
        temporary.replace(folder / self.data)
        write_json(folder / self.index, {"episodes": held})

    def _begin(self, out: Path, data: Path, before: Contents, contents: Contents) -> Spans:
        """The file, with the rows that can be taken over => places of the others."""
        dtype, shape = self.row()
        places = row_spans(contents)
        rows = open_memmap(out, "w+", np.dtype(dtype), (_total(places), *shape))
        _make_room(out)
        kept: Spans = {}
        if before:
            old = np.load(data, mmap_mode="r")
            old_places = row_spans(before)
            if old.dtype == rows.dtype and old.shape == (_total(old_places), *shape):
                kept = {name: old_places[name] for name in _unchanged(before, contents)}
            for name, (start, count) in kept.items():
                first = places[name][0]
                rows[first : first + count] = old[start : start + count]
        rows.flush()
        return {name: place for name, place in places.items() if name not in kept}


def _make_room(file: Path) -> None:
    """A page of a mapped file for which the disk has no room would end the process without a
    word."""
    size = file.stat().st_size
    if hasattr(os, "posix_fallocate"):  # not on every system
        with file.open("r+b") as handle:
            try:
                os.posix_fallocate(handle.fileno(), 0, size)
            except OSError as error:
                raise InputError(
                    f"{file.parent}: no room for {size / 2**20:.0f} MiB ({error.strerror}); make "
                    f"some, and give the same command again"
                ) from None


def cache_folders(store: EpisodeStore) -> tuple[Path, Path]:
    """Where rows of a store may lie, the better place first."""
    digest = hashlib.sha256(str(store.root.resolve()).encode()).hexdigest()[:16]
    return store.root / "cache", cache_folder("stores") / digest


def _temporary(folders: Sequence[Path], name: str) -> tuple[Path, Path, int]:
    """=> (folder, new empty file in it, its handle, which is locked while it is open). Those that
    killed processes left there are removed."""
    reasons = []
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        except OSError as error:
            reasons.append(f"cannot write {folder}: {error.strerror}")
            continue
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        for other in folder.glob(f".{name}.*"):
            if other != Path(temporary):
                _remove_left(other)
        return folder, Path(temporary), handle
    raise InputError(
        f"{'; '.join(reasons)}; make one of them writable, or name another with XDG_CACHE_HOME"
    )


def _remove_left(file: Path) -> None:
    """Removes a temporary file that no process holds; one of the last minute may not be held so
    far."""
    try:
        if time.time() - file.stat().st_mtime < 60:
            return
        with file.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.unlink()
    except OSError:  # held, or gone
        return


def _unchanged(before: Contents, contents: Contents) -> list[str]:
    """Names of the episodes that are as they were; an index without times, as once written, is
    compared without them."""
    held = {entry[0]: entry for entry in before}
    return [
        str(entry[0])
        for entry in contents
        if entry[0] in held and entry[: len(held[entry[0]])] == held[entry[0]]
    ]


def row_spans(contents: Contents) -> Spans:
    counts = [int(entry[1]) + 1 for entry in contents]
    starts = np.cumsum([0, *counts]).tolist()
    return {
        str(entry[0]): (start, count)
        for entry, start, count in zip(contents, starts[:-1], counts, strict=True)
    }


def _total(spans: Spans) -> int:
    return sum(count for _, count in spans.values())
