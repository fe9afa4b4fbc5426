"""Arrays that came over a wire, and the bounds of what may come. Never an object, never a
pickle."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.errors import InputError, WorldGymError

# bytes; an image of 1280 x 720 has under 3 MiB, and a third more as base64
MAX_REQUEST = 16 * 2**20
MAX_ANSWER = 4 * 2**20  # bytes; a chunk of actions has a few thousand
MAX_DIMENSIONS = 8
# maps and lists of one message: an empty one takes one byte on the wire and 64 in memory
MAX_CONTAINERS = 10_000

_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")

Array = npt.NDArray[Any]


class Malformed(WorldGymError):
    """Bytes from a wire that are no message of its protocol."""


def sendable(request: bytes, most: int = MAX_REQUEST) -> bytes:
    """The request, if our servers read one of this size: InputError otherwise, because a connection
    cut short would not say why."""
    if len(request) > most:
        size = f"{len(request) >> 20} MiB, and a server reads {most >> 20}"
        raise InputError(
            f"one question takes {size}; evaluate in process, or send fewer or smaller frames"
        )
    return request


def array_from_bytes(data: object, dtype: object, shape: object) -> Array:
    """The array with these bytes. Malformed unless dtype is a plain number and the bytes are
    exactly those of the shape."""
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise Malformed(f"arrays of {str(dtype)[:40]!r} are not taken; send numbers")
    if not isinstance(shape, list | tuple) or len(shape) > MAX_DIMENSIONS:
        raise Malformed("the shape of an array is no short list")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise Malformed("the shape of an array holds something else than sizes")
    kind = np.dtype(dtype)
    if not isinstance(data, bytes) or len(data) != math.prod(shape) * kind.itemsize:
        raise Malformed("an array has other bytes than its shape says")
    return np.frombuffer(data, kind).reshape(shape)
