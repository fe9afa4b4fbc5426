"""Arrays come back; what claims too much, is pickled or damaged, is refused before it costs
memory."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.readers import npz
from worldgym.episodes.readers.npz import array_names, read_npz
from worldgym.errors import InputError


def test_arrays_come_back_as_float32(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.asfortranarray(np.arange(6).reshape(3, 2)),
        "c": np.array([True, False]),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type]
        assert array_names(tmp_path / "x.npz") == list(arrays)
        found = read_npz(tmp_path / "x.npz", list(arrays))
        assert set(found) == set(arrays) and {array.dtype for array in found.values()} == {
            np.dtype(np.float32)
        }
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)


def header(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        header("(10**9,)"),
        header("(1000000000, 7)"),
        header("(-1,)") + bytes(4),
        header("(1,)", "|O"),
        b"",
    ],
)
def test_lies_in_the_header_are_refused(tmp_path: Path, content: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        file.writestr("a.npy", content)
    with pytest.raises(InputError, match=r"x\.npz: "):
        read_npz(tmp_path / "x.npz", ["a"])


def test_pickles_and_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "x.npz", a=np.array([{"k": 1}], object))
    with pytest.raises(InputError, match=r"a\.npy holds .* bytes of object"):
        read_npz(tmp_path / "x.npz", ["a"])
    monkeypatch.setattr(npz, "MAX_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", header("(1000,)") + bytes(4000))
    with pytest.raises(InputError, match=r"a claim \d+ bytes"):
        read_npz(tmp_path / "x.npz", ["a"])


def test_many_arrays_are_bounded_together_and_those_not_asked_for_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "MAX_BYTES", 10_000)
    arrays = {f"a{i}": np.zeros(1000, np.uint8) for i in range(20)}
    np.savez_compressed(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type]
    assert set(read_npz(tmp_path / "x.npz", ["a0", "a1"])) == {"a0", "a1"}
    with pytest.raises(InputError, match=r"a0, a1.* claim \d+ bytes; an episode needs far less"):
        read_npz(tmp_path / "x.npz", list(arrays))
    np.savez(
        tmp_path / "x.npz",
        a=np.zeros(3),
        text=np.array("pick it up"),
        things=np.array([{"k": 1}], object),
    )
    assert set(read_npz(tmp_path / "x.npz", ["a"])) == {"a"}
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(3000, np.uint8))
    with pytest.raises(InputError, match="holds 3000 numbers"):
        read_npz(tmp_path / "x.npz", ["a"])
