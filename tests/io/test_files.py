"""Nothing is ever half-written, and a wrong file gets one sentence."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.io.csv_tables import read_csv
from worldgym.io.files import (
    array_bytes,
    cache_folder,
    read_array,
    read_json,
    read_toml,
    sha256_file,
    unreadable,
    write_atomic,
    write_json,
    write_together,
)
from worldgym.io.jsonl import read_lines
from worldgym.io.text import cleaned
from worldgym.io.video import decode_video

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def test_writing_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.bin"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["file.bin"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("call", [True, False], ids=["syncfs", "fsync"])
def test_many_files_are_written_together_or_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: bool
) -> None:
    if not call:
        monkeypatch.setattr("worldgym.io.files.ctypes.CDLL", lambda *_, **__: None)
    files = {tmp_path / f"a{i % 3}" / f"{i}.bin": bytes([i]) * i for i in range(100)}
    write_together(files.items())
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == files
    assert {p.stat().st_mode & 0o777 for p in files} == {0o644}
    with pytest.raises(InputError, match=r"cannot write .*0\.bin/1"):
        write_together([(tmp_path / "new", b"x"), (tmp_path / "a0" / "0.bin" / "1", b"x")])
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == files.keys()


def test_no_file_has_its_name_before_all_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def refuse(handle: int) -> int:
        seen.append(os.listdir(tmp_path))
        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr(
        "worldgym.io.files.ctypes.CDLL", lambda *_, **__: SimpleNamespace(syncfs=refuse)
    )
    with pytest.raises(InputError, match=r"cannot write .*: Input/output error; make room"):
        write_together((tmp_path / f"{i}.bin", b"x") for i in range(50))
    assert [name[0] for name in seen[0]] == ["."] * 50
    assert len(seen) == 1 and os.listdir(tmp_path) == []


def test_an_interrupted_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.bin"
    write_atomic(path, b"old")

    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("worldgym.io.files.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_a_full_disk_gets_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("worldgym.io.files.os.fsync", full)
    with pytest.raises(
        InputError, match=r"cannot write .*file\.bin: No space left on device; make room"
    ):
        write_atomic(tmp_path / "file.bin", b"new")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(
        InputError, match=r"cannot write .*taken/file\.bin: .*; choose a writable folder"
    ):
        write_atomic(tmp_path / "taken" / "file.bin", b"")


@given(data=st.dictionaries(st.text(), JSON, max_size=4))
def test_json_survives_the_disk(
    data: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("json") / "data.json"
    write_json(path, data)
    assert read_json(path, "a thing") == cleaned(data)


def test_nan_is_refused_and_the_old_file_kept(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"x": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"x": float("nan")})
    assert read_json(tmp_path / "x.json", "a thing") == {"x": 1}


def test_a_missing_file_says_what_the_folder_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.json: no such file, so .* is not an episode store"):
        read_json(tmp_path / "x.json", "an episode store")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"a": 1,}', r"not valid JSON \(.*, line 1\); fix or remove it"),
        (b"", "the file is empty"),
        (b"[1, 2]", "holds list, but a thing is a JSON object"),
        (b"\xff\xfe", "cannot be read"),
        *[
            (
                b'{"a": [1, {"b": %b}]}' % number,
                r'x\.json: "a\[1\].b" holds (nan|-?inf); it must be',
            )
            for number in (b"NaN", b"-Infinity", b"1e400", b"-1.5E+999")
        ],
        (b'{"a": %b}' % (b"9" * 5000), r"x\.json: holds a number that cannot be used \(Exceeds"),
    ],
)
def test_a_wrong_json_file_gets_one_sentence(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        read_json(tmp_path / "x.json", "a thing")


@pytest.mark.parametrize("number", ["nan", "+inf", "-inf", "1e400", "9" * 5000])
def test_a_toml_file_of_finite_numbers(tmp_path: Path, number: str) -> None:
    (tmp_path / "x.toml").write_text(f"a = [1, {{ b = {number} }}]\n")
    told = r"holds a number that cannot be used \(Exceeds" if "9" in number else '"a.1..b" holds -?'
    with pytest.raises(InputError, match=rf"x\.toml: {told}"):
        read_toml(tmp_path / "x.toml", "a thing")


def test_a_folder_in_place_of_a_file_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path, "a thing")


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    content = b"worldgym" * 100_000
    (tmp_path / "x").write_bytes(content)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def test_json_that_nests_without_end_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[" * 200_000)
    with pytest.raises(InputError, match=r"x\.json: (cannot be read|not valid JSON)"):
        read_json(tmp_path / "x.json", "a thing")


def test_arrays_come_back_and_damage_is_told(tmp_path: Path) -> None:
    path, array = tmp_path / "a" / "x.npy", np.arange(12, dtype=np.float32).reshape(4, 3)
    write_atomic(path, array_bytes(array))
    found = read_array(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.float32
    data = path.read_bytes()
    huge = data.replace(b"(4, 3), }  ", b"(4, 3000), }")  # a size that the file does not have
    for damaged in (data[:-4], data[:20], b"", b"no array", huge):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"cannot be read as an array|the file is empty"):
            read_array(path)
    with pytest.raises(InputError, match="absent"):
        read_array(tmp_path / "absent.npy")
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read"):
        read_array(path)


def test_zipped_arrays_are_no_array(tmp_path: Path) -> None:
    """A file of a few kilobytes may unpack to gigabytes."""
    np.savez_compressed(tmp_path / "zipped.npz", np.zeros(10**6))
    (tmp_path / "zipped.npz").rename(tmp_path / "zipped.npy")
    with pytest.raises(InputError, match="several arrays"):
        read_array(tmp_path / "zipped.npy")


def test_an_array_larger_than_the_bound_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomic(tmp_path / "a.npy", array_bytes(np.zeros(1000)))
    monkeypatch.setattr("worldgym.io.files.MAX_ARRAY", 7999)
    with pytest.raises(InputError, match="more than"):
        read_array(tmp_path / "a.npy")


def test_no_home_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(InputError, match="set XDG_CACHE_HOME"):
        cache_folder("votes")


def test_an_empty_file_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    for read in (
        lambda path: read_csv(path, ["policy"]),
        lambda path: read_json(path, "a task"),
        read_array,
        decode_video,
    ):
        with pytest.raises(InputError, match="x: the file is empty; copy or download it again"):
            read(tmp_path / "x")


def test_a_git_lfs_pointer_is_told_from_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    )
    (tmp_path / "y").write_bytes(b"version")
    assert "git lfs pull" in str(unreadable(tmp_path / "x", "damaged"))
    for read in (
        lambda path: read_toml(path, "a judge"),
        lambda path: read_json(path, "a task"),
        lambda path: read_csv(path, ["policy"]),
        lambda path: read_lines(path, "a log", "restore it"),
        read_array,
    ):
        with pytest.raises(InputError, match=r"x: only git-lfs's pointer .* git lfs pull"):
            read(tmp_path / "x")
    for name in ("y", "absent", "."):
        assert str(unreadable(tmp_path / name, "damaged")) == f"{tmp_path / name}: damaged"


def test_texts_of_a_toml_file_come_in_clean(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('name = "a\\u001b[31m b\\u0007"\nlist = ["c\\u0000", 1]\n')
    assert read_toml(tmp_path / "a.toml", "") == {"name": "a[31m b", "list": ["c", 1]}
