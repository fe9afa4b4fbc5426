"""Compiles the passes in C beside this file on first use and keeps the result; without a C compiler there is none, and torch's
own operations serve.

The compiled file lies in $XDG_CACHE_HOME/worldgym/kernels (in ~/.cache by default), named by source, compiler and processor. The
folder must be its owner's alone to write, for what lies there is run.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.files import cache_folder, write_atomic

FOLDER = Path(__file__).parent
SOURCES = [str(path) for path in sorted(FOLDER.glob("*.c"))]
FLAGS = ["-O3", "-march=native", "-shared", "-fPIC", "-pthread", "-Wno-psabi"]
if platform.machine() == "x86_64":
    FLAGS.append("-mprefer-vector-width=512")  # where there are such vectors
OFF = "WORLDGYM_NATIVE"  # set to 0: never compile
SECONDS = 60.0

Functions = Mapping[str, tuple[list[Any], Any]]  # of each its arguments and result, as ctypes names them


@cache
def library(bfloat16: bool) -> ctypes.CDLL | None:
    """The compiled kernels for float32 or bfloat16; None where they cannot be had (said once on the error stream)."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if os.environ.get(OFF) == "0" or compiler is None or sys.byteorder != "little":
        return None
    try:
        return ctypes.CDLL(str(_compiled(compiler, bfloat16)))
    except subprocess.CalledProcessError as error:
        reason = next(iter(error.stderr.decode(errors="replace").splitlines()), f"{compiler} failed")
    except (OSError, InputError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    print(f"worldgym: rollouts are slower, for the C compiler gave no kernels ({reason}); {OFF}=0 says no more", file=sys.stderr)
    return None


def declare(found: ctypes.CDLL, functions: Functions) -> None:
    for name, (arguments, result) in functions.items():
        function = getattr(found, name)  # how ctypes names what a library holds
        function.argtypes, function.restype = arguments, result


def _compiled(compiler: str, bfloat16: bool) -> Path:
    """Path of the shared library, made if it is not there."""
    command = [compiler, *FLAGS, *(["-DBFLOAT16"] if bfloat16 else [])]
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.[ch]"))]
    identity = "\n".join([*command, _processor(), *texts])
    folder = cache_folder("kernels")
    path = folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.so"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (state := folder.stat()).st_uid != os.getuid() or state.st_mode & 0o022:
        raise InputError(f"{folder} is not this user's alone to write; remove it")
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}")
        subprocess.run([*command, *SOURCES, "-o", str(draft), "-lm"], check=True, capture_output=True, timeout=SECONDS)
        write_atomic(path, draft.read_bytes())
        draft.unlink()
    return path


def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
