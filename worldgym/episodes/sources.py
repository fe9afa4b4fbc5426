"""Opening a dataset of whatever format: the files in the folder say which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from worldgym.episodes.instructions import SplitSource
from worldgym.episodes.picture_form import CorrectedSource, as_stored, is_corrected
from worldgym.episodes.readers.droid import DroidSource
from worldgym.episodes.readers.hdf5 import SUFFIXES, Hdf5Source
from worldgym.episodes.readers.lerobot_reader import LeRobotSource
from worldgym.episodes.readers.mp4_npz import Mp4NpzSource
from worldgym.episodes.readers.rlds import RldsSource, prepared_set
from worldgym.episodes.readers.store_reader import StoreSource
from worldgym.episodes.recording import Source, SourceOptions
from worldgym.episodes.several_views import ViewsSource, named_views
from worldgym.errors import InputError


def open_source(root: Path, options: SourceOptions = SourceOptions()) -> Source:
    """Reads metadata alone; of a set that is split by its instructions, the texts too. InputError
    for no known format."""
    if not root.exists():
        raise InputError(f"{root}: no such file or folder; give the folder of a dataset")
    asked = options.views or _views_of_store(root, options)
    if not asked:
        return _of_one_camera(root, options)
    first = _of_one_camera(root, replace(options, views=()))
    views = named_views(asked, first.cameras, root)
    each = [replace(options, views=(), camera=view.camera) for view in views]
    return ViewsSource(views, [_of_one_camera(root, one) for one in each])


def _views_of_store(root: Path, options: SourceOptions) -> tuple[str, ...]:
    """All views of a store of ours that has several, where nothing was asked for."""
    if options.camera or not (root / "store.json").exists():
        return ()
    cameras = StoreSource(root).cameras
    return cameras if len(cameras) > 1 else ()


def _of_one_camera(root: Path, options: SourceOptions) -> Source:
    if is_corrected(options):
        return CorrectedSource(_split(root, as_stored(options)), options)
    return _split(root, options)


def _split(root: Path, options: SourceOptions) -> Source:
    source = _found(root, options)
    if options.subtasks == "split" and isinstance(source, (LeRobotSource, RldsSource, Hdf5Source)):
        return SplitSource(source, source.texts)  # other formats hold one instruction an episode
    return source


def _found(root: Path, options: SourceOptions) -> Source:
    if root.suffix in SUFFIXES and root.is_file():
        return Hdf5Source(root, options)
    if (root / "store.json").exists():
        return StoreSource(root, options)
    if (root / "meta" / "info.json").exists():
        return LeRobotSource(root, options)
    if (prepared := prepared_set(root)) is not None:
        return RldsSource(prepared, options)
    if any((root / "annotation").rglob("*.json")):
        return DroidSource(root, options)
    if any(root.rglob("*.npz")):
        return Mp4NpzSource(root, options)
    if any(path.suffix in SUFFIXES for path in root.rglob("*")):
        return Hdf5Source(root, options)
    raise InputError(
        f"{root}: not a readable dataset; known formats are WorldGym stores, LeRobot v2.0 to v3.0 "
        f"(meta/info.json), RLDS "
        f"(dataset_info.json with tfrecord files), videos with npz, mp4 with annotation/*.json, "
        f"and HDF5"
    )
