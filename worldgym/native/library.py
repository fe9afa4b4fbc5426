"""Compiles the passes in C beside this file on first use and keeps the result; without a C compiler
there is none, and torch's own operations serve.

The compiled file lies in $XDG_CACHE_HOME/worldgym/kernels (in ~/.cache by default), named by
source, compiler and processor, and by its own content, so that a damaged one is made again. The
folder must be its owner's alone to write, for what lies there is run.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.io.files import cache_folder, write_atomic
from worldgym.native.processor import has_wide_vectors

FOLDER = Path(__file__).parent
SOURCES = [str(path) for path in sorted(FOLDER.glob("*.c"))]
FLAGS = ["-O3", "-march=native", "-shared", "-fPIC", "-pthread", "-Wno-psabi"]
if platform.machine() == "x86_64":
    FLAGS.append("-mprefer-vector-width=512")  # where there are such vectors
CHOICE = "WORLDGYM_NATIVE"  # 0: never compile; 1: on processors without wide vectors too
SECONDS = 60.0

Functions = Mapping[
    str, tuple[list[Any], Any]
]  # of each its arguments and result, as ctypes names them


@cache
def library(bfloat16: bool) -> ctypes.CDLL | None:
    """The compiled kernels for float32 or bfloat16; None where they cannot be had (said once on the
    error stream)."""
    asked = os.environ.get(CHOICE)
    if asked == "0" or sys.byteorder != "little":
        return None
    if asked != "1" and not has_wide_vectors():
        return None
    try:
        compiler = shlex.split(os.environ.get("CC", "")) or [
            "cc"
        ]  # a name, or one with options of its own
        if shutil.which(compiler[0]) is None:
            raise ValueError(f"there is no {compiler[0]}")
        return ctypes.CDLL(str(_compiled(compiler, bfloat16)))
    except subprocess.CalledProcessError as error:
        reason = next(
            iter(error.stderr.decode(errors="replace").splitlines()), f"{compiler[0]} failed"
        )
    except (OSError, ValueError, InputError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    print(
        f"worldgym: rollouts are slower, for the C compiler gave no kernels ({reason}); {CHOICE}=0 "
        f"says no more",
        file=sys.stderr,
    )
    return None


def declare(found: ctypes.CDLL, functions: Functions) -> None:
    for name, (arguments, result) in functions.items():
        function = getattr(found, name)  # how ctypes names what a library holds
        function.argtypes = arguments
        function.restype = result


def _compiled(compiler: Sequence[str], bfloat16: bool) -> Path:
    """Path of the shared library, made if it is not there or not what was made."""
    command = [*compiler, *FLAGS, *(["-DBFLOAT16"] if bfloat16 else [])]
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.[ch]"))]
    identity = "\n".join([*command, _processor(), *texts])
    folder = _folder()
    name = hashlib.sha256(identity.encode()).hexdigest()[:16]
    if (state := folder.stat()).st_uid != os.getuid() or state.st_mode & 0o022:
        raise InputError(f"{folder} is not this user's alone to write; remove it")
    for kept in folder.glob(f"{name}-*.so"):
        if kept == _place(folder, name, kept.read_bytes()):
            return kept
        kept.unlink(missing_ok=True)  # to load a file that was cut short ends the process
    draft = folder / f"{name}.{os.getpid()}"
    subprocess.run(
        [*command, *SOURCES, "-o", str(draft), "-lm"],
        check=True,
        capture_output=True,
        timeout=SECONDS,
    )
    made = draft.read_bytes()
    write_atomic(_place(folder, name, made), made)
    draft.unlink()
    return _place(folder, name, made)


def _folder() -> Path:
    """Where they are kept; a folder that ends with this process where that cannot be written."""
    try:
        folder = cache_folder("kernels")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (InputError, OSError) as error:
        return _passing(str(error))


@cache
def _passing(reason: str) -> Path:
    print(f"worldgym: kernels are compiled for this process alone ({reason})", file=sys.stderr)
    passing = Path(tempfile.mkdtemp(prefix="worldgym-kernels-"))
    atexit.register(shutil.rmtree, passing, ignore_errors=True)
    return passing


def _place(folder: Path, name: str, content: bytes) -> Path:
    return folder / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.so"


def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line for line in lines if line.startswith(("flags", "Features"))), platform.processor()
    )
