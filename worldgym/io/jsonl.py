"""JSON Lines files that grow: appended to line by line, by one writer, and never changed.

A line counts once its newline is on the disk: `append` returns after fsync. A process killed in the
middle of a line leaves a torn last line; readers ignore it, and the next writer cuts it off before
it appends. A line ends with a checksum of itself ("crc32", the last key), so that no damaged one is
believed; lines written by hand or by older versions have none.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import weakref
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from worldgym.errors import InputError
from worldgym.io.text import cleaned

CHECKSUM = "crc32"  # of the bytes before its comma
MAX_FILE = 2**30  # bytes; a larger one is refused before it fills the memory
BLOCK = 2**16  # bytes read at once from the end, in search of the last newline
_CHECKSUM = re.compile(rb', "crc32": ([0-9]{1,10})\}$')
T = TypeVar("T")


@dataclass(frozen=True)
class Line:
    """One whole line. number: from 1.   data: without its checksum, texts cleaned.   signed: it
    carried a checksum, which was right.   remedy: ends the errors."""

    path: Path
    number: int
    data: dict[str, Any]
    signed: bool
    remedy: str

    def read(self, parse: Callable[[dict[str, Any]], T], signed: bool = False) -> T:
        """What `parse` makes of the data. InputError with path and number for its ValueError,
        TypeError or OverflowError, and where the line must be `signed` and is not."""
        try:
            if signed and not self.signed:
                raise ValueError("it carries no checksum, so it is damaged")
            return parse(self.data)
        except (ValueError, TypeError, OverflowError) as error:
            raise _line_error(self.path, self.number, str(error), self.remedy) from None


class LineFile:
    """A file open for appending. While this lives, a second writer is refused; the system lets go
    of the file when a process ends."""

    def __init__(self, path: Path, wait: bool = False) -> None:
        """Makes the file where there is none. wait: for the end of another writer, who is refused
        otherwise. InputError for that, and for a file that cannot be written."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise InputError(
                f"cannot write {path}: {error.strerror}; choose a writable folder"
            ) from error
        self.close = weakref.finalize(self, os.close, self._handle)
        self._size: int | None = None  # up to the last newline; known from the first append on
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            self.close()
            raise InputError(
                f"{path} is being written by another process; wait for its end, or choose another "
                f"folder"
            ) from None
        except OSError:
            pass  # a file system without locks

    def __enter__(self) -> LineFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Writes lines through to the disk, all or none. InputError if the disk refuses; ValueError
        for what JSON does not have."""
        data = b"".join(map(signed_line, rows))
        try:
            if self._size is None:
                self._size = _whole_size(self._handle)
                os.ftruncate(self._handle, self._size)
            try:
                if os.write(self._handle, data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._handle)
            except OSError:
                os.ftruncate(self._handle, self._size)  # half a line would spoil the next one
                raise
        except OSError as error:
            raise InputError(
                f"cannot write {self.path}: {error.strerror}; make room or permit writing, then "
                f"give the same command again"
            ) from error
        self._size += len(data)


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """One line to a file that others append to as well. Errors as those of `LineFile`."""
    with LineFile(path, wait=True) as file:
        file.append(row)


def json_line(data: Any) -> bytes:
    """One line of JSON without a checksum, for files that are written whole. ValueError on NaN and
    infinities."""
    return (json.dumps(data, allow_nan=False) + "\n").encode()


def signed_line(data: Mapping[str, Any]) -> bytes:
    """One line of JSON, its texts cleaned, with the checksum of what stands before it."""
    body = json_line(cleaned(dict(data))).removesuffix(b"}\n")
    return body + f', "{CHECKSUM}": {zlib.crc32(body)}}}\n'.encode()


def read_lines(path: Path, what: str, remedy: str) -> list[Line]:
    """Every whole line; what follows the last newline is nothing, or torn.

    what: was wanted, e.g. "a label file".   remedy: ends the errors of a line. InputError for a
    file that is absent or larger than 1 GiB, and for a line that is no JSON object or damaged, with
    its number."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise InputError(
                f"{path}: {size >> 20} MiB, more than {MAX_FILE >> 20}, so it is not {what}"
            )
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name {what}") from error
    return [_line(path, number, line, remedy) for number, line in enumerate(lines, start=1)]


def _line(path: Path, number: int, line: bytes, remedy: str) -> Line:
    try:
        found = _CHECKSUM.search(line)
        if found is not None and int(found[1]) != zlib.crc32(line[: found.start()]):
            raise ValueError("its checksum is wrong, so it is damaged")
        data = json.loads(line, parse_constant=_refuse_constant)
        if not isinstance(data, dict):
            raise ValueError("not a JSON object")
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _line_error(path, number, f"not valid JSON ({error})", remedy) from None
    except ValueError as error:
        raise _line_error(path, number, str(error), remedy) from None
    data.pop(CHECKSUM, None)
    return Line(path, number, cleaned(data), found is not None, remedy)


def _line_error(path: Path, number: int, fault: str, remedy: str) -> InputError:
    return InputError(f"{path}, line {number}: {fault}; {remedy}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _whole_size(handle: int) -> int:
    """Bytes up to the last newline, that one included."""
    end = os.fstat(handle).st_size
    while end:
        start = max(end - BLOCK, 0)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
