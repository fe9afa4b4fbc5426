"""Checksums and protobuf messages agree with their definitions, and what is damaged is said so."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_sets import example, field, record, varint

from worldgym.episodes.readers.tfrecord import (
    POLYNOMIAL,
    crc32c,
    feature_values,
    parse_example,
    read_record,
    record_offsets,
)
from worldgym.errors import InputError


def plain_crc32c(data: bytes) -> int:
    """Bit by bit, from the definition."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "crc"),
    [(b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)],
)
def test_known_checksums(data: bytes, crc: int) -> None:
    """RFC 3720, appendix B.4, and the usual check value."""
    assert crc32c(data) == crc


@settings(max_examples=30)
@given(st.integers(0, 3000), st.integers(0, 99))
def test_all_lanes_at_once_equal_bit_by_bit(size: int, seed: int) -> None:
    data = np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()
    assert crc32c(data) == plain_crc32c(data)


@given(
    st.lists(st.binary(max_size=20), min_size=1, max_size=5),
    st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=5),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5),
)
def test_lists_come_back(texts: list[bytes], floats: list[float], integers: list[int]) -> None:
    data = example(
        {
            "texts": texts,
            "floats": np.array(floats, np.float32),
            "integers": np.array(integers, np.int64),
        }
    )
    features = {
        key: feature_values(value, "here") for key, value in parse_example(data, "here").items()
    }
    assert features["texts"] == texts
    np.testing.assert_array_equal(features["floats"], np.array(floats, np.float32))
    np.testing.assert_array_equal(features["integers"], np.array(integers, np.int64))


def test_unpacked_lists_and_unknown_fields_are_read() -> None:
    floats = field(2, b"".join(varint(1 << 3 | 5) + struct.pack("<f", x) for x in (1.5, 2.5)))
    integers = field(3, varint(1 << 3) + varint(7) + varint(9 << 3) + varint(1))
    np.testing.assert_array_equal(feature_values(memoryview(floats), "here"), [1.5, 2.5])
    np.testing.assert_array_equal(feature_values(memoryview(integers), "here"), [7])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "holds no feature"),
        (b"\x0a\xff", "an integer without an end"),
        (b"\x0a\x50abc", "reaches beyond its message"),
        (b"\x0b", "unknown wire type 3"),
        (b"\xff" * 11, "an integer without an end"),
    ],
)
def test_damaged_messages_get_one_sentence(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=f"here: .*{said}"):
        parse_example(data, "here")


def test_records_come_back(tmp_path: Path) -> None:
    path, contents = tmp_path / "x", [b"one", b"", bytes(5000)]
    path.write_bytes(b"".join(map(record, contents)))
    offsets, trouble = record_offsets(path)
    assert not trouble and [read_record(path, offset) for offset in offsets] == contents


def test_a_flipped_bit_costs_one_record(tmp_path: Path) -> None:
    path, contents = tmp_path / "x", [bytes(300), bytes(400), bytes(500)]
    data = bytearray(b"".join(map(record, contents)))
    data[316 + 12 + 200] ^= 4
    path.write_bytes(data)
    offsets, trouble = record_offsets(path)
    assert (
        not trouble
        and read_record(path, offsets[0]) == contents[0]
        and read_record(path, offsets[2]) == contents[2]
    )
    with pytest.raises(InputError, match="the record at byte 316 fails its checksum"):
        read_record(path, offsets[1])


def test_a_wrong_length_ends_the_shard(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(record(b"one") + b"\xff" * 8 + record(b"two"))
    assert record_offsets(path) == ([0], "the length of record 1 fails its checksum")
    path.write_bytes((record(b"one") + record(b"two"))[:-3])
    assert record_offsets(path) == ([0], "cut off within record 1")
    assert "cannot be read" in record_offsets(tmp_path / "absent")[1]
