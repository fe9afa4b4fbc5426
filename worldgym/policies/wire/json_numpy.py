"""Arrays in JSON as the package json-numpy 2.1 has them: {"__numpy__": base64 of the bytes,
"dtype": "|u1", "shape": [...]}."""

from __future__ import annotations

import base64
import json
from itertools import count
from typing import Any, NoReturn

import numpy as np

from worldgym.wire.wire_arrays import MAX_CONTAINERS, Malformed, array_from_bytes

_ARRAY = "__numpy__"


def encode(message: Any) -> bytes:
    """Plain values and NumPy arrays and numbers => UTF-8 JSON. Malformed for what has no place in
    it."""
    try:
        return json.dumps(message, default=_plain, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Malformed(f"cannot be sent ({error})") from error


def decode(data: bytes) -> Any:
    """The inverse of `encode`. Malformed for anything else; the caller bounds the size of `data`.

    Lists are counted by their brackets, before they take thirty times as many bytes; an instruction
    may hold some too."""
    if data.count(b"[") > 2 * MAX_CONTAINERS:
        raise Malformed(f"holds more than {MAX_CONTAINERS} lists")
    objects = count()

    def counted(pairs: dict[str, Any]) -> Any:
        if next(objects) >= MAX_CONTAINERS:
            raise Malformed(f"holds more than {MAX_CONTAINERS} objects")
        return _numpy(pairs)

    try:
        return json.loads(data, object_hook=counted, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON ({error})") from error


def _plain(value: Any) -> Any:
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind not in "biuf":
        raise TypeError(f"{type(value).__name__} is no value of a message")
    return {
        _ARRAY: base64.b64encode(value.tobytes()).decode(),
        "dtype": value.dtype.str,
        "shape": list(value.shape),
    }


def _numpy(pairs: dict[str, Any]) -> Any:
    if _ARRAY not in pairs:
        return pairs
    text = pairs[_ARRAY]
    if not isinstance(text, str):
        raise Malformed("an array without its bytes")
    return array_from_bytes(
        base64.b64decode(text, validate=True), pairs.get("dtype"), pairs.get("shape")
    )


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON")
