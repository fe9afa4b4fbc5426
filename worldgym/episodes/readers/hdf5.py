"""HDF5 demonstrations in the two common layouts. Needs the extra "data" (h5py).

    robomimic, LIBERO   FILE.hdf5: data/demo_0/{actions [N, A], obs/CAMERA_image or CAMERA_rgb [N, H, W, 3], states}
    ACT, ALOHA          episode_0.hdf5: action [N, A], observations/images/CAMERA [N, H, W, 3] (or rows of JPEG), qpos beside

Images are taken as they are stored: LIBERO's own files hold them upside down, which a contact sheet shows at a glance.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worldgym.actions.conventions import load_convention
from worldgym.episodes.images import check_bytes, decode_image, fit, stack
from worldgym.episodes.recording import Listed, Recording, SourceOptions, distinct, no_episode
from worldgym.errors import InputError, MissingExtra
from worldgym.types import Actions, ActionSpec, Frames

if TYPE_CHECKING:
    from h5py import Dataset, File, Group

SUFFIXES = (".hdf5", ".h5")


class Hdf5Source:
    """`worldgym.episodes.recording.Source` over one file, or over all HDF5 files of a folder."""

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        self.root, self.options = root, options
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES)
        names = ["" if path == root else "-".join(path.relative_to(root).with_suffix("").parts) for path in files]
        self.files = dict(zip(distinct(names), files, strict=True))
        with _opened(files[0]) as file:
            self.kind = "hdf5 (robomimic)" if "data" in file else "hdf5 (ACT)"
            first = next(iter(_demos(file)), "")
            self.cameras = tuple(sorted(_images(file, first))) if first or self.kind.endswith("(ACT)") else ()
        self.camera = options.choose(self.cameras, root)
        self.spec: ActionSpec | None = load_convention(options.convention) if options.convention else None

    def listing(self) -> Sequence[Listed]:
        """Opens every file, and reads no array. A file that does not open is listed under its own name, and fails when read."""
        return [listed for stem, path in self.files.items() for listed in _listed(stem, path)]

    def read(self, name: str) -> Recording:
        path, demo = self._place(name)
        where = f"{path}, {demo}" if demo else str(path)
        with _opened(path) as file:
            group = file[f"data/{demo}"] if demo else file
            actions = _matrix(group["actions" if demo else "action"], where)
            frames = self._frames(file, demo, where)
            state = next((group[key] for key in ("states", "observations/qpos") if key in group), None)
            states = None if state is None else _matrix(state, where)
            return Recording(frames, actions, states, _instruction(file), where, self.options.fps)

    def _place(self, name: str) -> tuple[Path, str]:
        """File and demonstration of an episode's name: "demo_3", "file-demo_3" or "episode_3". Both may hold hyphens."""
        if name in self.files:
            return self.files[name], ""
        for stem in sorted(self.files, key=len, reverse=True):
            demo = name.removeprefix(f"{stem}-") if stem else name
            if (demo != name or not stem) and demo in _names(self.files[stem]):
                return self.files[stem], demo
        if "" in self.files and name == self.root.stem:
            return self.root, ""
        raise no_episode(self.root, name)

    def _frames(self, file: File, demo: str, where: str) -> Frames:
        images = _images(file, demo)
        if self.camera not in images:
            raise InputError(f"{where}: has no camera {self.camera}; it has {', '.join(images) or 'none'}")
        data = images[self.camera]
        check_bytes(data.nbytes, where)
        if data.dtype != np.uint8:
            raise InputError(f"{where}: frames of camera {self.camera} are {data.dtype}; store them as uint8, 0 to 255")
        if data.ndim == 4:
            return stack([fit(frame, self.options.size) for frame in data], where)
        return stack([fit(decode_image(bytes(row), where), self.options.size) for row in data[:]], where)


@contextmanager
def _opened(path: Path) -> Iterator[File]:
    """The open file; whatever h5py raises while it is read, of damage or of things that are not there, becomes one sentence."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py", "data", "reading HDF5 files") from error
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error}); download or re-export it") from error


def _demos(file: File) -> list[str]:
    return sorted(file["data"], key=lambda name: (len(name), name)) if "data" in file else []


def _names(path: Path) -> list[str]:
    """Demonstrations of a file; none of one that does not open."""
    try:
        with _opened(path) as file:
            return _demos(file)
    except InputError:
        return []


def _listed(stem: str, path: Path) -> list[Listed]:
    try:
        with _opened(path) as file:
            if "data" not in file:
                return [Listed(stem or path.stem, len(file["action"]) if "action" in file else None)]
            return [Listed(f"{stem}-{demo}" if stem else demo, _count(file["data"][demo])) for demo in _demos(file)]
    except InputError:
        return [Listed(stem or path.stem)]


def _count(demo: Group) -> int | None:
    return len(demo["actions"]) if "actions" in demo else None


def _images(file: File, demo: str) -> dict[str, Dataset]:
    """Cameras by name: what looks like an image among the observations."""
    where = f"data/{demo}/obs" if demo else "observations/images"
    if where not in file:
        return {}
    found = {name: data for name, data in file[where].items() if demo == "" or name.endswith(("_image", "_rgb"))}
    return {name: data for name, data in found.items() if data.ndim in ((2, 4) if demo == "" else (4,))}


def _matrix(data: Any, where: str) -> Actions:
    check_bytes(data.nbytes, where)
    values = np.asarray(data[:], np.float32)
    return values.reshape(len(values), -1)


def _instruction(file: File) -> str:
    """LIBERO keeps it in the attribute problem_info, as JSON."""
    if "data" not in file:
        return ""
    try:
        problem = json.loads(file["data"].attrs.get("problem_info", "{}"))
        return " ".join(str(problem.get("language_instruction", "")).split())
    except (ValueError, TypeError, AttributeError, RecursionError):
        return ""  # an instruction is a bonus: robomimic itself has none
