"""Arrays from an npz file whose claims are not believed: sizes are checked before memory is asked for; nothing is unpickled."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worldgym.errors import InputError

MAX_BYTES = 2**28  # of one array


def read_npz(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Every numeric array of the file as float32. InputError for what is damaged, pickled, not numbers, or over 256 MiB."""
    try:
        with zipfile.ZipFile(path) as file:
            return {info.filename.removesuffix(".npy"): _array(file, info, path) for info in file.infolist()}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(f"{path}: not a readable npz file ({error}); remove or re-export the episode") from error


def _array(file: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> npt.NDArray[np.float32]:
    if info.file_size > MAX_BYTES:
        raise InputError(f"{path}: {info.filename} claims {info.file_size} bytes; an episode's actions need far less")
    with file.open(info) as member:
        stream = io.BytesIO(member.read(MAX_BYTES))
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(stream)
    data = stream.read()
    if dtype.kind not in "fiub" or dtype.itemsize * math.prod(shape) != len(data) or min(shape, default=0) < 0:
        raise InputError(f"{path}: {info.filename} holds {len(data)} bytes of {dtype} for shape {shape}; re-export the episode")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C").astype(np.float32)
