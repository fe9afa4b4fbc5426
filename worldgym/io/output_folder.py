"""Results are not written among what they are made of: a log in a task folder would be read as a
task the next time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.bundled import bundled
from worldgym.io.run_log import LOG_NAME

CHECKPOINT = "config.json"  # of every checkpoint, see io/checkpoint.py


def check_apart(out: Path, source: Path) -> None:
    """InputError for a folder to write that is the one to read, or inside it: its files would be
    read as input the next time, or take the place of others."""
    if out.resolve() == source.resolve():
        raise InputError(f"{out}: is the input itself; choose another --out, so that it stays")
    if out.resolve().is_relative_to(source.resolve()):
        raise InputError(f"{out}: lies inside the input, {source}; choose another --out")


def check_output(out: Path, tasks: object) -> None:
    """InputError for a folder of results that is the task folder or lies in it.   tasks: a folder,
    or anything else, which has none."""
    folder = _folder(tasks, "tasks")
    if folder is not None:
        check_apart(out, folder)


def check_run_folder(out: Path, tasks: object, parts: Iterable[tuple[str, object]]) -> None:
    """`check_output` of a run, which is not begun around its tasks either, nor in the folder of
    another part.   parts: ("world", its place), ..."""
    check_output(out, tasks)
    if out.is_file():
        raise InputError(f"{out}: --out is a file; give a folder")
    folder = _folder(tasks, "tasks")
    begun = (out / LOG_NAME).exists()
    if folder is not None and folder.is_relative_to(out.resolve()) and not begun:
        raise InputError(f"{out}: --out holds the task folder, {tasks}; choose another")
    for what, place in parts:
        part = _folder(place, what)
        if part == out.resolve() and (part / CHECKPOINT).exists():
            raise InputError(f"{out}: --out is the folder of the {what}; choose another")


def _folder(place: object, part: str) -> Path | None:
    """None of an object, a name or an address."""
    if not isinstance(place, str | Path):
        return None
    path = bundled(place, part) if part != "policy" else Path(place)
    return path.resolve() if path.is_dir() else None
