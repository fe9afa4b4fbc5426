"""Reading and writing files so that no file is ever half-written, and a wrong file gives one clear
sentence."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import io
import json
import math
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from worldgym.errors import InputError
from worldgym.io.text import clean, cleaned, numbers_beyond

MAX_ARRAY = 2**32  # bytes; a larger one is refused before it fills the memory
MAX_TOML = 2**20  # bytes
MANY = 8  # files that are waited for together
LFS = b"version https://git-lfs"
ENDS = 2**20  # bytes that `digest_of_files` reads of a file's beginning and end


def cache_folder(name: str) -> Path:
    """$XDG_CACHE_HOME/worldgym/NAME, by default in ~/.cache. It need not exist. InputError if there
    is no known home folder."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "worldgym" / name
    except RuntimeError as error:
        raise InputError(
            "this user has no home folder: set XDG_CACHE_HOME to a folder that can be written"
        ) from error


def not_fetched(path: Path) -> str:
    """A sentence where the file is only git-lfs's pointer to one, else ""."""
    try:
        with path.open("rb") as file:
            pointer = file.read(len(LFS)) == LFS
    except (OSError, ValueError):
        return ""
    return (
        f"{path}: only git-lfs's pointer to the file was downloaded; fetch the file with  git lfs "
        f"pull"
        if pointer
        else ""
    )


def unreadable(path: Path, problem: str) -> InputError:
    """What to raise for a file that is not what it should be: the problem in words, or that it was
    never fetched, or holds nothing."""
    with suppress(OSError, ValueError):
        if path.is_file() and path.stat().st_size == 0:
            return InputError(f"{path}: the file is empty; copy or download it again")
    return InputError(not_fetched(path) or f"{path}: {problem}")


def no_place(path: Path, error: OSError) -> InputError:
    """What to raise where a file cannot be begun: that something else stands where its folder would
    be, or what the system says."""
    if file := next((folder for folder in path.parents if folder.is_file()), None):
        return InputError(f"cannot write {path}: {file} is a file; choose a writable folder")
    return InputError(f"cannot write {path}: {error.strerror}; choose a writable folder")


def write_atomic(path: Path, data: bytes) -> None:
    """`atomic_file` for bytes that are available."""
    with atomic_file(path) as file:
        file.write(data)


def write_together(files: Iterable[tuple[Path, bytes]]) -> None:
    """`write_atomic` of many, with one wait for the disk instead of one a file (some 5 times as
    many a second). All are on the disk when it returns; none has its name before all are."""
    begun: list[tuple[str, Path]] = []
    folders: dict[Path, None] = {}
    path = Path()
    try:
        for path, data in files:
            if path.parent not in folders:
                path.parent.mkdir(parents=True, exist_ok=True)
                folders[path.parent] = None
            handle, temporary = _beside(path)
            begun.append((temporary, path))
            with open(handle, "wb", buffering=0) as file:
                os.chmod(handle, 0o644)
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _reach_the_disk([temporary for temporary, _ in begun], folders)
        while begun:
            temporary, path = begun[-1]
            os.replace(temporary, path)
            begun.pop()
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        for temporary, _ in begun:
            Path(temporary).unlink(missing_ok=True)


def _reach_the_disk(files: Sequence[str], folders: Iterable[Path]) -> None:
    """One call for each file. Of many it is one for each file system that the folders are on, where
    there is such a call (Linux): it waits for what other programs have written there too."""
    libc = ctypes.CDLL(None, use_errno=True)
    sync = getattr(libc, "syncfs", None) if len(files) >= MANY else None
    once = {os.stat(folder).st_dev: str(folder) for folder in folders}
    for path in files if sync is None else once.values():
        handle = os.open(path, os.O_RDONLY)
        try:
            if sync is None:
                os.fsync(handle)
            elif sync(handle):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        finally:
            os.close(handle)


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file beside the target, flushed to the disk and renamed into place at the end of the
    `with`: readers see the old file or the new one. InputError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _beside(path)
    except OSError as error:
        raise no_place(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _not_written(path, error) from error
        raise


def _beside(path: Path) -> tuple[int, str]:
    """A new file in the folder of `path`, open, and its name."""
    return tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")


def _not_written(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror}; make room or choose another folder")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Waits until no other process is inside, for a few lines that read a file and write it. Makes
    the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise InputError(
            f"cannot write {folder}: {error.strerror}; choose a writable folder"
        ) from error
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_json(path: Path, data: Any) -> None:
    """JSON with two spaces, NaN refused, atomic."""
    write_atomic(path, json_bytes(data))


def json_bytes(data: Any) -> bytes:
    """What `write_json` writes. ValueError for NaN."""
    return (json.dumps(data, indent=2, allow_nan=False) + "\n").encode()


def finite(text: str) -> float:
    """The number that a parser found. ValueError for NaN and infinity, which 1e999 is too."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def read_json(path: Path, what: str) -> dict[str, Any]:
    """The object in a JSON file, its texts cleaned and its numbers finite. `what` names the thing
    wanted in the error, e.g. "an episode store"."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text, parse_float=finite, parse_constant=finite)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, so {path.parent} is not {what}") from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    except json.JSONDecodeError as error:
        raise unreadable(
            path, f"not valid JSON ({error.msg}, line {error.lineno}); fix or remove it"
        ) from error
    except ValueError as error:
        raise _odd_number(path, error, text, json.loads) from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: holds {type(data).__name__}, but {what} is a JSON object")
    # in most files there is nothing to clean, and some hold many numbers
    odd = "\\" in text or clean(text) != text
    found: dict[str, Any] = cleaned(data) if odd else data
    return found


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The table in a TOML file of at most 1 MiB, its texts cleaned (see io/text.py) and its numbers
    finite. `what` says what was wanted, for the error: "a judge is a checkpoint, a .toml or a
    .jsonl file"."""
    try:
        if path.stat().st_size > MAX_TOML:
            raise InputError(f"{path}: more than {MAX_TOML >> 20} MiB; {what}")
        text = path.read_text(encoding="utf-8")
        table: dict[str, Any] = cleaned(tomllib.loads(text, parse_float=finite))
        return table
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {what}") from error
    except tomllib.TOMLDecodeError as error:
        raise unreadable(path, f"not valid TOML ({error})") from error
    except ValueError as error:
        raise _odd_number(path, error, text, tomllib.loads) from error


def _odd_number(
    path: Path, error: ValueError, text: str, loads: Callable[[str], Any]
) -> InputError:
    """One that is not finite, named by its place; or a whole one of thousands of digits."""
    try:
        where, number = next(numbers_beyond(loads(text)))
    except ValueError:
        fault = str(error).partition(";")[0]
        return InputError(f"{path}: holds a number that cannot be used ({fault}); correct it")
    return InputError(f'{path}: "{where}" holds {number}; it must be a finite number')


def array_bytes(array: npt.NDArray[Any]) -> bytes:
    """One array as .npy."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def read_array(path: Path) -> npt.NDArray[Any]:
    """The array in a .npy file. InputError if it is absent, cut short, larger than 4 GiB, or not an
    array of numbers."""
    try:
        # mapped: a size that the file lacks is refused
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(found, np.ndarray):  # what is zipped may unpack to any size
            raise ValueError("an .npz file of several arrays")
        if found.nbytes > MAX_ARRAY:
            raise ValueError(f"{found.nbytes >> 20} MiB, more than {MAX_ARRAY >> 20}")
        return np.array(found)
    except (OSError, ValueError, EOFError) as error:
        raise unreadable(
            path, f"cannot be read as an array ({error}); remove it or make it again"
        ) from error


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_files(folder: Path) -> str:
    """12 hexadecimal digits of the names and sizes of all files in it, and of the first and last
    MiB of each."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            digest.update(file.read(ENDS))
            file.seek(max(size - ENDS, 0))
            digest.update(file.read(ENDS))
    return digest.hexdigest()[:12]
