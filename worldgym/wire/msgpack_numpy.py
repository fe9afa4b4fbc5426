"""openpi's form of arrays in msgpack, read from its packages/openpi-client (15a9616): maps with the
binary keys below.

It is not the form of the package msgpack-numpy. Axes do not matter here: any array of plain
numbers."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

from worldgym.errors import MissingExtra
from worldgym.wire.wire_arrays import MAX_CONTAINERS, Malformed, array_from_bytes

_ARRAY, _SCALAR = b"__ndarray__", b"__npgeneric__"


def pack(message: Any) -> bytes:
    """Plain values and NumPy arrays and numbers => bytes. Malformed for what has no place in a
    message."""
    try:
        packed: bytes = _msgpack().packb(message, default=_plain)
    except (TypeError, ValueError, OverflowError) as error:
        raise Malformed(f"cannot be sent ({error})") from error
    return packed


def unpack(data: bytes) -> Any:
    """The inverse of `pack`. Malformed for anything else; the caller bounds the size of `data`."""
    msgpack = _msgpack()
    containers = count()

    def counted(container: Any) -> Any:
        if next(containers) >= MAX_CONTAINERS:
            raise Malformed(f"holds more than {MAX_CONTAINERS} maps and lists")
        return _numpy(container) if isinstance(container, dict) else container

    try:
        return msgpack.unpackb(
            data, object_hook=counted, list_hook=counted, ext_hook=_refuse_extension
        )
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise Malformed(f"not msgpack ({str(error) or type(error).__name__})") from error


def _msgpack() -> Any:
    try:
        import msgpack
    except ImportError:
        raise MissingExtra("msgpack", "remote", "a server at ws://") from None
    return msgpack


def _plain(value: Any) -> Any:
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(f"{type(value).__name__} is no value of a message")
    if value.dtype.kind not in "biuf":
        raise TypeError(f"arrays of {value.dtype} are no value of a message")
    if isinstance(value, np.ndarray):
        return {
            _ARRAY: True,
            b"data": value.tobytes(),
            b"dtype": value.dtype.str,
            b"shape": value.shape,
        }
    return {_SCALAR: True, b"data": value.item(), b"dtype": value.dtype.str}


def _numpy(pairs: dict[Any, Any]) -> Any:
    if _ARRAY in pairs:
        return array_from_bytes(pairs.get(b"data"), pairs.get(b"dtype"), pairs.get(b"shape"))
    if _SCALAR in pairs:
        value = pairs.get(b"data")
        if not isinstance(value, bool | int | float):
            raise Malformed("a NumPy number without its value")
        return value  # its width does not matter to anybody here
    return pairs


def _refuse_extension(code: int, data: bytes) -> Any:
    raise Malformed(f"extension type {code} is not taken")
