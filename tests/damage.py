"""Damage for fuzzing: bytes are flipped, cut, doubled and set to extremes; JSON also gets other
values in its places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**18,
    1e308,
    -0.5,
    "",
    "x",
    "../..",
    [],
    {},
    [[]],
    [None],
    {"a": 1},
    "9" * 400,
)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """One to eight wounds."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if not out:
            break
        at, kind = int(rng.integers(len(out))), int(rng.integers(6))
        if kind == 0:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            out[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
        elif kind == 2 and rng.random() < 0.3:
            del out[at:]
        elif kind == 3:
            number = int(rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1]))
            out[at : at + 4] = number.to_bytes(4, "big" if rng.random() < 0.5 else "little")
        elif kind == 4:
            out[at:at] = out[at : at + int(rng.integers(1, 64))]
        else:
            head = int(rng.integers(min(len(out), 256)))  # headers are where sizes live
            out[head] = int(rng.integers(256))
    return bytes(out)


def with_other_value(data: bytes, rng: np.random.Generator) -> bytes:
    """A JSON text with one value of its tree replaced."""
    tree = json.loads(data)
    places = list(_places(tree))
    holder, key = places[int(rng.integers(len(places)))]
    holder[key] = VALUES[int(rng.integers(len(VALUES)))]
    return json.dumps(tree).encode()


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    keys = (
        list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    )
    for key in list(keys)[:12]:
        yield tree, key
        yield from _places(tree[key])
