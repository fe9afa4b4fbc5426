"""Arrays from an npz file whose claims are not trusted: sizes are checked before memory is asked
for; nothing is unpickled."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worldgym.errors import InputError
from worldgym.io.files import unreadable

MAX_BYTES = 2**28  # of all arrays that are read of one file


def array_names(path: Path) -> list[str]:
    """Of the arrays in the file, in its order; none is read."""
    with _opened(path) as file:
        return [_name(info) for info in file.infolist()]


def read_npz(path: Path, names: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Those of the arrays as float32. InputError for what is damaged, pickled, not numbers, or over
    256 MiB in all."""
    with _opened(path) as file:
        chosen = {_name(info): info for info in file.infolist() if _name(info) in names}
        if (claimed := sum(info.file_size for info in chosen.values())) > MAX_BYTES:
            raise InputError(
                f"{path}: {', '.join(chosen)} claim {claimed} bytes; an episode needs far less"
            )
        return {name: _array(file, info, path) for name, info in chosen.items()}


def _name(info: zipfile.ZipInfo) -> str:
    return info.filename.removesuffix(".npy")


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as file:
            yield file
    except (
        OSError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
    ) as error:
        raise unreadable(
            path, f"not a readable npz file ({error}); remove or re-export the episode"
        ) from error


def _array(file: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> npt.NDArray[np.float32]:
    with file.open(info) as member:
        stream = io.BytesIO(member.read(MAX_BYTES))
    version = np.lib.format.read_magic(stream)
    header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = header(stream)
    data = stream.read()
    if (
        dtype.kind not in "fiub"
        or dtype.itemsize * math.prod(shape) != len(data)
        or min(shape, default=0) < 0
    ):
        raise InputError(
            f"{path}: {info.filename} holds {len(data)} bytes of {dtype} for shape {shape}; "
            f"re-export the episode"
        )
    if 4 * math.prod(shape) > MAX_BYTES:
        raise InputError(
            f"{path}: {info.filename} holds {math.prod(shape)} numbers; an episode's numbers are "
            f"far fewer"
        )
    return (
        np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C").astype(np.float32)
    )
