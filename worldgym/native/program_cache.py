"""Compiled programs on this machine's disk, so that a later start loads what an earlier one
compiled.

A program is machine code, and whoever can write it runs code as this user. So programs lie in the
user's own cache folder, which no one else may enter, and are loaded from nowhere else: never from a
checkpoint. Each has its own folder, named after all that it was compiled for:

    program.pt2    what `torch._inductor.aoti_compile_and_package` wrote
    program.json   what it was compiled for, its digest, and the seconds that took"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.io.files import cache_folder, locked, read_json, write_atomic, write_json

PROGRAM, TOLD = "program.pt2", "program.json"
MOST = 2**30  # bytes of all programs together
Form = Mapping[str, Any]  # all that a program depends on, as JSON has it


def programs_folder() -> Path:
    """The user's own, made where it is missing. InputError where others may enter it."""
    folder = cache_folder("programs")
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise InputError(
            f"cannot write {folder}: {error.strerror}; set XDG_CACHE_HOME to a folder that can be "
            f"written"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise InputError(
            f"{folder}: holds programs that are run, so it must be a folder of this user that no "
            f"one else may enter: chmod 700 it, or remove it"
        )
    return folder


def kept_program(form: Form) -> Path | None:
    """The program that was compiled for this, None where there is none. A damaged one, or one
    compiled for something else, counts as none, with a message."""
    folder = _folder_of(form)
    program = folder / PROGRAM
    if not program.exists():
        return None
    fault = _fault(folder, form)
    if fault is not None:
        print(f"worldgym: {program} {fault}, so it is compiled again", file=sys.stderr)
        return None
    os.utime(program)  # used just now
    return program


def kept_or_made(form: Form, make: Callable[[Path], object]) -> Path:
    """As `kept_program`; where there is none, `make` writes one to the path that it is given. If
    several processes need one program, only one of them compiles it."""
    folder = _folder_of(form)
    with locked(folder):
        if (found := kept_program(form)) is not None:
            return found
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=folder) as place:
            made = Path(place) / PROGRAM
            make(made)
            data = made.read_bytes()
        seconds = round(time.perf_counter() - started, 1)
        write_atomic(folder / PROGRAM, data)
        told = {"form": form, "sha256": hashlib.sha256(data).hexdigest(), "seconds": seconds}
        write_json(folder / TOLD, told)
    _let_go(folder)
    return folder / PROGRAM


def _folder_of(form: Form) -> Path:
    text = json.dumps(form, sort_keys=True)
    return programs_folder() / hashlib.sha256(text.encode()).hexdigest()[:24]


def _fault(folder: Path, form: Form) -> str | None:
    """Why the program in a folder must not be run; None = it may."""
    try:
        told = read_json(folder / TOLD, "a compiled program")
        data = (folder / PROGRAM).read_bytes()
    except (InputError, OSError):
        return "is incomplete"
    if told.get("form") != json.loads(json.dumps(form)):
        return "was compiled for something else"
    if told.get("sha256") != hashlib.sha256(data).hexdigest():
        return "is damaged"
    return None


def _let_go(kept: Path) -> None:
    """Above MOST bytes, the programs that were not used for longest are removed, but never this
    one."""
    sizes = {}
    for program in programs_folder().glob(f"*/{PROGRAM}"):
        try:
            sizes[program] = program.stat()
        except OSError:  # another process removed it
            continue
    total = sum(found.st_size for found in sizes.values())
    for program in sorted(sizes, key=lambda one: sizes[one].st_mtime):
        if total <= MOST:
            return
        if program.parent != kept:
            shutil.rmtree(program.parent, ignore_errors=True)
            total -= sizes[program].st_size
