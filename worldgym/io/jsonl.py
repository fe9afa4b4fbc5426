"""JSON Lines files that grow: appended to line by line, by one writer, and never changed.

A line counts once its newline is on the disk: `append` returns after fsync. A process killed in the
middle of a line leaves a torn last line; readers ignore it, and the next writer cuts it off before
it appends. A line ends with a checksum of itself ("crc32", the last key), so that no damaged one is
accepted; lines written by hand or by older versions have none.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import sys
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

from worldgym.errors import InputError
from worldgym.io.files import no_place, not_fetched
from worldgym.io.text import cleaned

CHECKSUM = "crc32"  # of the bytes before its comma
MAX_FILE = 2**30  # bytes; a larger one is refused where all of it is to be held in memory
MAX_LINE = 2**26  # bytes; a longer one is refused before it fills the memory
BLOCK = 2**16  # bytes read at once
CHECKSUM_LENGTH = 24  # bytes of the longest one with its key
_CHECKSUM = re.compile(rb', "crc32": ([0-9]{1,10})\}$')
T = TypeVar("T")


@dataclass(frozen=True)
class Line:
    """One whole line. number: from 1.   data: without its checksum, texts cleaned.   signed: it
    carried a checksum, which was right.   remedy: ends the errors.   start: its first byte in the
    file, for `lines_at`.   end: the byte behind it, for `each_line`.   raw: as it stands there,
    without its newline."""

    path: Path
    number: int
    data: dict[str, Any]
    signed: bool
    remedy: str
    start: int = 0
    end: int = 0
    raw: bytes = b""

    @property
    def as_signed(self) -> bytes:
        """With a checksum and its newline, to be written elsewhere."""
        return self.raw + b"\n" if self.signed else signed_line(self.data)

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
    """A file open for appending. While this exists, a second writer is refused, or, without locks,
    warned on standard error; the system releases the file when a process ends."""

    def __init__(self, path: Path, wait: bool = False) -> None:
        """Makes the file where there is none. wait: for the end of another writer, who is refused
        otherwise. InputError for that, and for a file that cannot be written."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise no_place(path, error) from error
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
        except OSError as error:  # a file system without locks, as NFS may be
            if not wait:
                print(
                    f"worldgym: {path}: this file system has no locks ({error.strerror}), so a "
                    f"second writer is not refused; run only one command at a time here",
                    file=sys.stderr,
                )

    def __enter__(self) -> LineFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Writes lines through to the disk, all or none. InputError if the disk refuses; ValueError
        for what JSON does not have."""
        self.append_signed(map(signed_line, rows))

    def append_signed(self, lines: Iterable[bytes]) -> None:
        """As `append`, of lines that `signed_line` has made."""
        data = b"".join(lines)
        try:
            if self._size is None:
                self._size = whole_size(self._handle)
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
                f"cannot write {self.path}: {error.strerror}; free space or allow writing, then "
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
    """Every whole line, for files that fit into memory; see `each_line`. InputError for a file
    larger than 1 GiB too."""
    try:
        size = path.stat().st_size
    except OSError:
        size = 0  # `each_line` says what is wrong
    if size > MAX_FILE:
        raise InputError(
            f"{path}: {size >> 20} MiB, more than {MAX_FILE >> 20}, so it is not {what}"
        )
    return list(each_line(path, what, remedy))


def each_line(
    path: Path, what: str, remedy: str, start: int = 0, before: int = 0
) -> Iterator[Line]:
    """Every whole line, one at a time, however many there are; what follows the last newline is
    nothing, or torn.

    start, before: to continue with a file that has grown, from this byte on, before which so many
    lines stand.   what: was wanted, e.g. "a label file".   remedy: ends the errors of a line.
    InputError for a file that cannot be read, and for a line that is no JSON object, damaged, or
    longer than 64 MiB, with its number."""
    with _opened(path, what) as file:
        file.seek(start)
        for number in count(before + 1):
            line = file.readline(MAX_LINE)
            if not line.endswith(b"\n"):
                if len(line) == MAX_LINE:
                    raise _line_error(path, number, "longer than any line that is written", remedy)
                return
            yield _line(path, number, line[:-1], remedy, start)
            start += len(line)


def lines_at(path: Path, starts: Iterable[int], what: str, remedy: str) -> Iterator[Line]:
    """The lines that begin at these bytes, as `each_line` told; their numbers are 0. Errors as
    there."""
    with _opened(path, what) as file:
        for start in starts:
            file.seek(start)
            line = file.readline(MAX_LINE).removesuffix(b"\n")
            yield _line(path, 0, line, remedy, start)


def line_at(path: Path, start: int, what: str, remedy: str) -> Line:
    """One of `lines_at`."""
    (line,) = lines_at(path, (start,), what, remedy)
    return line


@contextmanager
def _opened(path: Path, what: str) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb", buffering=BLOCK) as file:
            yield file
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name {what}") from error


def _line(path: Path, number: int, line: bytes, remedy: str, start: int = 0) -> Line:
    try:
        found = _CHECKSUM.search(line, max(0, len(line) - CHECKSUM_LENGTH))
        if found is not None and int(found[1]) != zlib.crc32(line[: found.start()]):
            raise ValueError("its checksum is wrong, so it is damaged")
        data = _DECODER.decode(line.decode())
        if not isinstance(data, dict):
            raise ValueError("not a JSON object")
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _line_error(path, number, f"not valid JSON ({error})", remedy) from None
    except ValueError as error:
        raise _line_error(path, number, str(error), remedy) from None
    data.pop(CHECKSUM, None)
    if b"\\" in line or b"\x7f" in line or not line.isascii():  # else no text in it needs that
        data = cleaned(data)
    signed, end = found is not None, start + len(line) + 1
    return Line(path, number, data, signed, remedy, start, end, line)


def _line_error(path: Path, number: int, fault: str, remedy: str) -> InputError:
    never_fetched = not_fetched(path) if number == 1 else ""
    return InputError(never_fetched or f"{path}, line {number}: {fault}; {remedy}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)  # `json.loads` makes one per line


def whole_size(handle: int) -> int:
    """Bytes of an open file up to the last newline, that one included."""
    end = os.fstat(handle).st_size
    while end:
        start = max(end - BLOCK, 0)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
