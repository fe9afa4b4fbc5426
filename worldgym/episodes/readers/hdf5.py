"""HDF5 demonstrations, in one file or in one file each. Needs the extra "data" (h5py). Layouts: see
`hdf5_layout`.

Images are taken as they are stored: LIBERO's own files hold them upside down, which a contact sheet
shows at a glance. Axes legend: N frames, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worldgym.actions.conventions import load_convention
from worldgym.episodes.file_names import distinct
from worldgym.episodes.instructions import called
from worldgym.episodes.readers import hdf5_layout as layout
from worldgym.episodes.readers.keys import listed_keys, side_by_side, wanted
from worldgym.episodes.recording import (
    AbsentCamera,
    Listed,
    Recording,
    RecordingFacts,
    SourceOptions,
    no_episode,
)
from worldgym.errors import InputError, MissingExtra
from worldgym.io.files import unreadable
from worldgym.io.images import check_bytes, decode_image, resized, stack
from worldgym.types import Actions, ActionSpec, Frames

if TYPE_CHECKING:
    from h5py import Dataset, File, Group

SUFFIXES = (".hdf5", ".h5")
CODED = (
    "red and blue may be exchanged, as OpenCV does when it codes pictures given in RGB, and one "
    "camera alone does not show it: look at the colours with `data inspect --sheet`, and give "
    "--swap-red-blue if they are wrong"
)


class Hdf5Source:
    """`worldgym.episodes.recording.Source` over one file, or over all HDF5 files of a folder."""

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        self.root = root
        self.options = options
        files = (
            [root]
            if root.is_file()
            else sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES)
        )
        names = [
            "" if path == root else "-".join(path.relative_to(root).with_suffix("").parts)
            for path in files
        ]
        self.files = dict(zip(distinct(names), files, strict=True))
        self._demos: dict[Path, dict[str, str]] = {}
        with _first_readable(files) as file:
            self.kind = (
                "hdf5 (robomimic)"
                if "data" in file
                else "hdf5 (ACT)"
                if "observations" in file
                else "hdf5"
            )
            images = layout.cameras(_group(file, next(iter(layout.demos(file)), "")))
            self.depth = {name for name, data in images.items() if layout.aside(name, data)}
        self.cameras = tuple(images)
        self.camera = options.choose(self.cameras, root, self.depth)
        self.spec: ActionSpec | None = (
            load_convention(options.convention) if options.convention else None
        )

    def listing(self) -> Sequence[Listed]:
        """Opens every file, and reads no array. A file that does not open is listed under its own
        name, and fails when read."""
        return [
            listed
            for stem, path in self.files.items()
            for listed in _listed(stem, path, self.options)
        ]

    def read(self, name: str) -> Recording:
        path, demo = self._place(name)
        where = f"{path}, {demo}" if demo else str(path)
        with _opened(path) as file:
            group = _group(file, demo)
            actions, _ = self._numbers(
                group, self.options.action, layout.ACTIONS, ("action", "--action", where)
            )
            if actions is None:
                there = listed_keys(
                    [key for key, data in layout.arrays(group).items() if data.ndim == 2]
                )
                raise InputError(
                    f"{where}: has no actions; name the array that holds them with --action: "
                    f"{there or 'none'}"
                )
            states, facts = self._numbers(
                group, self.options.state, layout.STATES, ("state", "--state", where)
            )
            frames, notes = self._frames(group, where)
            instruction, told = _called(self.options, layout.texts(group), len(frames))
            facts = replace(
                told,
                state_names=facts.state_names,
                no_pose=facts.no_pose,
                depth=self.camera in self.depth,
                notes=told.notes + notes,
            )
            masks = layout.masks(file, demo)
            extras = {"split": ", ".join(masks)} if masks else {}
            success = layout.succeeded(group)
            return Recording(
                frames,
                actions,
                states,
                instruction,
                where,
                self.options.fps,
                success,
                extras,
                facts,
            )

    def texts(self, name: str) -> Sequence[str]:
        """The instruction of each frame of an episode that has one per frame; () of others."""
        path, demo = self._place(name)
        with _opened(path) as file:
            found = layout.texts(_group(file, demo))
        return found if len(found) > 1 else ()

    def _place(self, name: str) -> tuple[Path, str]:
        """File and path of an episode's name: "demo_3", "file-demo_3" or "episode_3". Both parts
        may hold hyphens."""
        if name in self.files:
            return self.files[name], ""
        for stem in sorted(self.files, key=len, reverse=True):
            demo = name.removeprefix(f"{stem}-") if stem else name
            known = self._known(self.files[stem]) if demo != name or not stem else {}
            if demo in known:
                return self.files[stem], known[demo]
        if "" in self.files and name == self.root.stem:
            return self.root, ""
        raise no_episode(self.root, name)

    def _known(self, path: Path) -> Mapping[str, str]:
        """`_paths`, listed once: a file may hold thousands."""
        if path not in self._demos:
            self._demos[path] = _paths(path)
        return self._demos[path]

    def _numbers(
        self, group: Group, named: str, usual: Sequence[str], words: tuple[str, str, str]
    ) -> tuple[Actions | None, RecordingFacts]:
        """The table float32 [N, k] and what its keys say; None where there is none. words: what it
        is, its option, and where."""
        there = layout.arrays(group) if named else usual
        keys = wanted(named, usual, [key for key in there if key in group], *words)
        if not keys:
            return None, RecordingFacts()
        tables = {key: _matrix(group[key], words[-1]) for key in keys}
        names = (
            layout.names_of({key: table.shape[1] for key, table in tables.items()}) if named else ()
        )
        reason = "" if named else layout.no_pose(keys[0])
        return side_by_side(keys, tables, words[-1]), RecordingFacts(
            state_names=names, no_pose=reason
        )

    def _frames(self, group: Group, where: str) -> tuple[Frames, tuple[str, ...]]:
        images = layout.cameras(group)
        if self.camera not in images:
            raise AbsentCamera(
                f"{where}: has no camera {self.camera}; it has {', '.join(images) or 'none'}"
            )
        data = images[self.camera]
        check_bytes(data.nbytes, where)
        if layout.is_coded(data):
            rows = (layout.row_bytes(row) for row in data[:])
            coded = () if self.options.swap_red_blue else (CODED,)
            return stack(
                [resized(decode_image(row, where), self.options.size) for row in rows], where
            ), coded
        if data.dtype != np.uint8:
            raise InputError(
                f"{where}: frames of camera {self.camera} are {data.dtype}; store them as uint8, 0 "
                f"to 255"
            )
        frames, notes = _rgb(data)
        return stack([resized(frame, self.options.size) for frame in frames], where), notes


def _rgb(data: Dataset) -> tuple[Iterator[Frames], tuple[str, ...]]:
    """uint8 [N, H, W], [N, H, W, C] or [N, C, H, W] => frames [H, W, 3] one by one, and what was
    done."""
    if data.ndim == 3:
        return (np.repeat(frame[..., None], 3, axis=2) for frame in data), ()
    first = data.shape[3] not in layout.CHANNELS  # both at once: rows of 3 pixels are no image
    channels = data.shape[1] if first else data.shape[3]
    frames = (np.moveaxis(frame, 0, 2) if first else frame for frame in data)
    frames = (frame[..., :3] if channels >= 3 else np.repeat(frame, 3, axis=2) for frame in frames)
    notes = ("frames are stored channels first: they are turned to channels last",) if first else ()
    alpha = ("frames are stored with an alpha channel: it is left out",) if channels == 4 else ()
    return (np.ascontiguousarray(frame) for frame in frames), notes + alpha


def _called(options: SourceOptions, found: Sequence[str], n: int) -> tuple[str, RecordingFacts]:
    """One text per frame, or a few of the whole."""
    return called(options, (), found) if len(found) == n > 1 else called(options, found)


@contextmanager
def _opened(path: Path) -> Iterator[File]:
    """The open file; whatever h5py raises while it is read, of damage or of things that are not
    there, becomes one sentence."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py", "data", "reading HDF5 files") from error
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (
        AttributeError,
        IndexError,
        KeyError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise unreadable(
            path, f"not a readable HDF5 file ({error}); download or re-export it"
        ) from error


@contextmanager
def _first_readable(files: Sequence[Path]) -> Iterator[File]:
    """The first that opens; InputError of the first where none does."""
    for path in files:
        try:
            with _opened(path):
                break
        except InputError:
            continue
    else:
        path = files[0]
    with _opened(path) as file:
        yield file


def _group(file: File, demo: str) -> Group:
    return file[demo] if demo else file


def _paths(path: Path) -> dict[str, str]:
    """Demonstrations of a file by name; none of one that does not open."""
    try:
        with _opened(path) as file:
            return {demo.removeprefix("data/"): demo for demo in layout.demos(file)}
    except InputError:
        return {}


def _listed(stem: str, path: Path, options: SourceOptions) -> list[Listed]:
    keys = (options.action,) if options.action else layout.ACTIONS
    try:
        with _opened(path) as file:
            found = [
                (demo.removeprefix("data/"), _count(file[demo], keys))
                for demo in layout.demos(file)
            ]
            if not found and "data" not in file:
                return [Listed(stem or path.stem, _count(file, keys))]
            return [Listed(f"{stem}-{demo}" if stem else demo, count) for demo, count in found]
    except InputError:
        return [Listed(stem or path.stem)]


def _count(group: Group, keys: Sequence[str]) -> int | None:
    return next((len(group[key]) for key in keys if key in group), None)


def _matrix(data: Any, where: str) -> Actions:
    check_bytes(data.nbytes, where)
    values = np.asarray(data[:], np.float32)
    return values.reshape(len(values), -1)
