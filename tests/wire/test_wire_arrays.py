"""Arrays there and back in both forms, the very bytes of the protocols, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.policies.wire import json_numpy
from worldgym.wire.wire_arrays import (
    MAX_CONTAINERS,
    MAX_REQUEST,
    Malformed,
    array_from_bytes,
    sendable,
)

msgpack = pytest.importorskip("msgpack", reason="the extra [remote] is not installed")
from worldgym.wire import msgpack_numpy  # noqa: E402

CODECS: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "msgpack": (msgpack_numpy.pack, msgpack_numpy.unpack),
    "json": (json_numpy.encode, json_numpy.decode),
}
DTYPES = ("|u1", "<i8", "<f4", ">f4", "<f8", "<f2", "|b1", "<u2")


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=60)
@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(0, 4), max_size=4),
    seed=st.integers(0, 99),
)
def test_arrays_come_back(codec: str, dtype: str, shape: list[int], seed: int) -> None:
    array = np.random.default_rng(seed).integers(0, 2, shape).astype(dtype)
    there, back = CODECS[codec]
    message = {"a": array, "b": {"c": [1, "two", None, True, array[..., None]]}, "d": 0.25}
    found = back(there(message))
    for mine, other in ((found["a"], array), (found["b"]["c"][4], array[..., None])):
        assert (
            mine.dtype == other.dtype and mine.shape == other.shape and np.array_equal(mine, other)
        )
    assert found["b"]["c"][:4] == [1, "two", None, True] and found["d"] == 0.25


@pytest.mark.parametrize("codec", CODECS)
def test_numbers_and_views(codec: str) -> None:
    there, back = CODECS[codec]
    assert (
        float(back(there({"x": np.float32(0.5)}))["x"]) == 0.5
        and int(back(there([np.int64(-3)]))[0]) == -3
    )
    flipped = np.arange(6).reshape(2, 3)[::-1, ::2]
    assert np.array_equal(back(there(flipped)), flipped)


def test_the_bytes_are_those_of_openpi() -> None:
    """As openpi-client's msgpack_numpy has it: binary keys, dtype.str, the raw bytes."""
    form = {b"__ndarray__": True, b"data": b"\x01\x02", b"dtype": "|u1", b"shape": [2]}
    assert msgpack_numpy.pack(np.array([1, 2], np.uint8)) == msgpack.packb(form)
    scalar = {b"__npgeneric__": True, b"data": 0.5, b"dtype": "<f4"}
    assert (
        msgpack_numpy.pack(np.float32(0.5)) == msgpack.packb(scalar)
        and msgpack_numpy.unpack(msgpack.packb(scalar)) == 0.5
    )


def test_the_text_is_that_of_json_numpy() -> None:
    form = {"__numpy__": base64.b64encode(b"\x01\x02").decode(), "dtype": "|u1", "shape": [2]}
    assert json.loads(json_numpy.encode(np.array([1, 2], np.uint8))) == form


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        np.array([object()]),
        np.array(["text"]),
        np.zeros(2, "V4"),
        np.zeros(2, np.complex64),
    ],
    ids=[
        "object",
        "set",
        "array of objects",
        "array of texts",
        "array of bytes",
        "array of complex numbers",
    ],
)
def test_what_is_not_sent(codec: str, value: Any) -> None:
    with pytest.raises(Malformed, match="cannot be sent"):
        CODECS[codec][0]({"x": value})


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (b"\x00" * 8, "|O", [1]),
        (b"\x00" * 8, "<c8", [1]),
        (b"\x00" * 8, "<M8[s]", [1]),
        (b"\x00" * 8, "(2,)<f4", [1]),
        (b"\x00" * 8, "<U2", [1]),
        (b"\x00" * 8, 3, [1]),
        (b"\x00" * 8, "<f4", [3]),
        (b"\x00" * 8, "<f4", [-2]),
        (b"\x00" * 8, "<f4", [2.0]),
        (b"\x00" * 8, "<f4", [True, 2]),
        (b"\x00" * 8, "<f4", "2"),
        (b"\x00" * 8, "<f4", [1] * 9),
        (b"", "<f4", [2**40, 2**40]),
        ("text", "|u1", [4]),
        (None, "|u1", [0]),
    ],
)
def test_arrays_that_are_none(data: Any, dtype: Any, shape: Any) -> None:
    with pytest.raises(Malformed):
        array_from_bytes(data, dtype, shape)


def test_few_bytes_do_not_become_much_memory() -> None:
    many = MAX_CONTAINERS + 1
    for bomb in (
        b"\xdd" + many.to_bytes(4, "big") + b"\x80" * many,
        b"\xdd" + many.to_bytes(4, "big") + b"\x90" * many,
    ):
        with pytest.raises(Malformed, match="maps and lists"):
            msgpack_numpy.unpack(bomb)
    for bomb in (
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 5000,
        b"\xc7\x08\x05" + b"x" * 8,
    ):
        with pytest.raises(Malformed):
            msgpack_numpy.unpack(bomb)
    for text in (
        b"[" * 100_000,
        b"[" + b"{}," * many + b"{}]",
        b"[" + b"[]," * 2 * many + b"[]]",
        b"[NaN]",
        b"Infinity",
        b"9" * 5000,
    ):
        with pytest.raises(Malformed):
            json_numpy.decode(text)


def test_a_request_that_no_server_reads_is_not_sent() -> None:
    assert sendable(b"x" * MAX_REQUEST) == b"x" * MAX_REQUEST
    with pytest.raises(
        InputError, match="takes 32 MiB, and a server reads 16; evaluate in process"
    ):
        sendable(bytes(2 * MAX_REQUEST))
