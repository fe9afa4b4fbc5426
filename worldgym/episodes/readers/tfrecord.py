"""TFRecord files and the protobuf message in them, read without TensorFlow.

A file is a sequence of records (TensorFlow, tensorflow/core/lib/io/record_writer.h):

    uint64 length | uint32 masked CRC-32C of it | bytes [length] | uint32 masked CRC-32C of them

A record holds a tf.train.Example: a map from names to one list each, of bytes, floats or integers.
Both checksums are checked; the first guards the lengths, so a wrong one never makes the reader ask
for memory that the file does not fill."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worldgym.errors import InputError

POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), reflected
LANE = 256  # bytes that every lane of the checksum walks through
MASK_DELTA = 0xA282EAD8
Words = npt.NDArray[np.uint32]
Values = list[bytes] | npt.NDArray[np.float32] | npt.NDArray[np.int64]


def crc32c(data: bytes) -> int:
    """The CRC-32C checksum: all lanes of 256 bytes at once, then their sums joined in pairs (a CRC
    is linear over GF(2))."""
    if len(data) < LANE:
        crc = 0xFFFFFFFF
        for byte in data:
            crc = int(_byte_table()[(crc ^ byte) & 0xFF]) ^ (crc >> 8)
        return crc ^ 0xFFFFFFFF
    lanes = 1 << (-(-len(data) // LANE) - 1).bit_length()
    padded = np.zeros(lanes * LANE, np.uint8)  # zeros in front leave a sum of zero as it is
    padded[-len(data) :] = np.frombuffer(data, np.uint8)
    padded[-len(data) :][:4] ^= 0xFF  # the initial value of all ones
    sums = np.zeros(lanes, np.uint32)
    table = _byte_table()
    for column in np.ascontiguousarray(padded.reshape(lanes, LANE).T):
        sums = table[(sums ^ column) & 0xFF] ^ (sums >> 8)
    level = 0
    while len(sums) > 1:
        sums = _shifted(_shift_table(level), sums[0::2]) ^ sums[1::2]
        level += 1
    return int(sums[0]) ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """As records carry it: rotated and shifted, because a CRC of data that holds CRCs is weak."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF


@lru_cache
def _byte_table() -> Words:
    crc = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = np.where(crc & 1, (crc >> 1) ^ np.uint32(POLYNOMIAL), crc >> 1).astype(np.uint32)
    return np.asarray(crc, np.uint32)


@lru_cache
def _shift_table(level: int) -> Words:
    """[4, 256]: what the sum before LANE * 2**level more bytes becomes, a table for each of its
    bytes."""
    if level:
        table = _shift_table(level - 1)
        return _shifted(table, table)
    values = np.arange(256, dtype=np.uint32)
    table = np.stack([values << np.uint32(8 * k) for k in range(4)])
    for _ in range(LANE):
        table = (_byte_table()[table & 0xFF] ^ (table >> 8)).astype(np.uint32)
    return table


def _shifted(table: Words, sums: Words) -> Words:
    parts = [table[k][(sums >> np.uint32(8 * k)) & 0xFF] for k in range(4)]
    out: Words = parts[0] ^ parts[1] ^ parts[2] ^ parts[3]
    return out


def record_offsets(path: Path) -> tuple[list[int], str]:
    """=> (where each whole record begins, "" or what is wrong behind the last of them). Reads the
    lengths alone."""
    offsets: list[int] = []
    try:
        end = path.stat().st_size
        with path.open("rb") as file:
            place = 0
            while place < end:
                header = file.read(12)
                if len(header) < 12:
                    return offsets, f"cut off within record {len(offsets)}"
                length, crc = struct.unpack("<QI", header)
                if masked_crc32c(header[:8]) != crc:
                    return offsets, f"the length of record {len(offsets)} fails its checksum"
                if place + length + 16 > end:
                    return offsets, f"cut off within record {len(offsets)}"
                offsets.append(place)
                place += length + 16
                file.seek(place)
    except OSError as error:
        return offsets, f"cannot be read ({error.strerror})"
    return offsets, ""


def read_record(path: Path, offset: int) -> bytes:
    """The bytes of the record that begins at `offset`. InputError if its checksum fails."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            header = file.read(12)
            data = file.read(struct.unpack("<Q", header[:8])[0])
            (crc,) = struct.unpack("<I", file.read(4))
    except (OSError, struct.error, OverflowError, MemoryError) as error:
        raise InputError(
            f"{path}: no whole record at byte {offset} ({error}); download the shard again"
        ) from error
    if masked_crc32c(data) != crc:
        raise InputError(
            f"{path}: the record at byte {offset} fails its checksum; download the shard again"
        )
    return data


def parse_example(data: bytes, where: str) -> dict[str, memoryview]:
    """tf.train.Example => {name: its undecoded Feature}. `where` names the record in errors."""
    features: dict[str, memoryview] = {}
    for number, value in _fields(memoryview(data), where):
        if number == 1 and isinstance(value, memoryview):  # Example.features
            for entry in _messages(value, 1, where):  # Features.feature, a map
                parts = {
                    key: part for key, part in _fields(entry, where) if isinstance(part, memoryview)
                }
                features[bytes(parts.get(1, b"")).decode("utf-8", "replace")] = parts.get(
                    2, memoryview(b"")
                )
    if not features:
        raise InputError(
            f"{where}: holds no feature, so it is not a tf.train.Example; convert the set to TFDS "
            f"records"
        )
    return features


def feature_values(feature: memoryview, where: str) -> Values:
    """The list in a Feature: bytes, float32 [n] or int64 [n]. An empty Feature gives no bytes."""
    for number, value in _fields(feature, where):
        if isinstance(value, memoryview) and number in (1, 2, 3):
            if number == 1:
                return [bytes(item) for item in _messages(value, 1, where)]
            return _floats(value, where) if number == 2 else _integers(value, where)
    return []


def _floats(message: memoryview, where: str) -> npt.NDArray[np.float32]:
    packed = b"".join(
        part
        for number, part in _fields(message, where)
        if number == 1 and isinstance(part, (bytes, memoryview))
    )
    if len(packed) % 4:
        raise InputError(
            f"{where}: a list of floats of {len(packed)} bytes; download the shard again"
        )
    return np.frombuffer(packed, "<f4").astype(np.float32)


def _integers(message: memoryview, where: str) -> npt.NDArray[np.int64]:
    out: list[int] = []
    for number, part in _fields(message, where):
        if number != 1:
            continue
        if isinstance(part, int):
            out.append(part)
        elif isinstance(part, memoryview):
            place = 0
            while place < len(part):
                value, place = _varint(part, place, where)
                out.append(value)
    return np.array(out, np.uint64).view(np.int64)


def _messages(message: memoryview, wanted: int, where: str) -> Iterator[memoryview]:
    for number, value in _fields(message, where):
        if number == wanted and isinstance(value, memoryview):
            yield value


def _fields(message: memoryview, where: str) -> Iterator[tuple[int, int | bytes | memoryview]]:
    """(field number, value) of a protobuf message: integer, fixed-size bytes, or a view of what has
    a length."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place, where)
        kind = key & 7
        if kind == 0:
            integer, place = _varint(message, place, where)
            yield key >> 3, integer
            continue
        if kind == 2:
            size, place = _varint(message, place, where)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise InputError(
                f"{where}: a field of unknown wire type {kind}; download the shard again"
            )
        if place + size > len(message):
            raise InputError(
                f"{where}: a field reaches beyond its message; download the shard again"
            )
        part = message[place : place + size]
        yield key >> 3, part if kind == 2 else bytes(part)
        place += size


def _varint(message: memoryview, place: int, where: str) -> tuple[int, int]:
    """=> (unsigned 64-bit value, place behind it)."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place
    raise InputError(f"{where}: an integer without an end; download the shard again")
