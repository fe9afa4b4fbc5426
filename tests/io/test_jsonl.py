"""Files of lines: whole or not at all, by one writer, and no damaged line is believed."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from worldgym.errors import InputError
from worldgym.io import jsonl
from worldgym.io.jsonl import LineFile, append_line, json_line, read_lines, signed_line

ROWS = [{"a": 1}, {"a": [2.5, None, True]}, {"a": {"b": "open the door"}}]


def rows(path: Path) -> list[object]:
    return [line.data for line in read_lines(path, "a file", "fix it")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with LineFile(tmp_path / "below" / "x.jsonl") as file:
        file.append(ROWS[0])
        file.append(*ROWS[1:])
    return tmp_path / "below" / "x.jsonl"


def test_what_is_appended_is_read(path: Path) -> None:
    assert rows(path) == ROWS
    append_line(path, {"a": "\ud800\x07"})
    assert rows(path) == [*ROWS, {"a": "�"}]


def test_lines_number_themselves_and_know_their_checksum(path: Path) -> None:
    with path.open("ab") as file:
        file.write(json_line({"a": 4}))
    lines = read_lines(path, "a file", "fix it")
    assert [(line.number, line.signed) for line in lines] == [
        (1, True),
        (2, True),
        (3, True),
        (4, False),
    ]
    with pytest.raises(InputError, match="line 4: it carries no checksum, so it is damaged; fix"):
        lines[3].read(dict, signed=True)

    def refuse(data: object) -> None:
        raise ValueError("no such thing")

    with pytest.raises(InputError, match=r"x\.jsonl, line 2: no such thing; fix it"):
        lines[1].read(refuse)


def test_a_torn_line_is_ignored_and_cut_off_by_the_next_append(path: Path) -> None:
    whole = path.read_bytes()
    for torn in (b'{"a"', b"x" * 200_000):
        path.write_bytes(whole + torn)
        assert rows(path) == ROWS
        with LineFile(path) as file:
            assert path.read_bytes() == whole + torn  # opening changes nothing
            file.append({"a": 4})
        assert path.read_bytes() == whole + signed_line({"a": 4})


def test_a_file_without_a_whole_line_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "x").write_text('{"a": 1')
    append_line(tmp_path / "x", {"a": 2})
    assert rows(tmp_path / "x") == [{"a": 2}]


def test_no_flipped_bit_is_believed(path: Path) -> None:
    whole, rng = path.read_bytes(), random.Random(0)
    for bit in rng.sample(range(8 * (len(whole) - 1)), 300):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert [
                line.data for line in read_lines(path, "a file", "fix it") if line.signed
            ] != ROWS
        except InputError as error:
            assert "line " in str(error)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"a": NaN}', "NaN is not a number of JSON"),
        (b'{"a":' * 100_000, "not valid JSON"),
        (b'{"a": 1, "crc32": 5}', "checksum is wrong"),
    ],
)
def test_a_wrong_line_is_named(path: Path, line: bytes, fault: str) -> None:
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(InputError, match=f"line 2: .*{fault}.*; fix it"):
        rows(path)


def test_one_writer_at_a_time(path: Path) -> None:
    program = (
        "import pathlib, sys; from worldgym.io.jsonl import LineFile; "
        "LineFile(pathlib.Path(sys.argv[1]))"
    )
    with LineFile(path):
        other = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
        )
        assert other.returncode != 0 and "is being written by another process" in other.stderr
        with pytest.raises(InputError, match="another process"):
            LineFile(path)
    kept = LineFile(path)
    del kept  # as an exception would
    LineFile(path)


def test_lines_of_several_writers_wait_for_each_other(path: Path) -> None:
    threads = [threading.Thread(target=append_line, args=(path, {"n": n})) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row["n"] for row in rows(path)[3:]) == list(range(20))  # type: ignore[index]


def test_a_write_that_fails_leaves_the_file_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with LineFile(path) as file:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(InputError, match=r"No space left.*the same command again"):
                file.append({"a": 4})
        assert path.read_bytes() == whole
        with pytest.raises(ValueError, match="JSON"):
            file.append({"a": float("inf")})
        file.append({"a": 5})
    assert rows(path) == [*ROWS, {"a": 5}]


def test_places_that_cannot_be_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="choose a writable folder"):
        LineFile(path / "below-a-file" / "x")
    with pytest.raises(InputError, match=r"cannot be read .*; name a label file"):
        read_lines(path.parent / "absent", "a label file", "")
    monkeypatch.setattr(jsonl, "MAX_FILE", 10)
    with pytest.raises(InputError, match="so it is not a label file"):
        read_lines(path, "a label file", "")


def test_a_line_is_plain_json_with_its_checksum_last() -> None:
    line = signed_line({"a": 1})
    assert list(json.loads(line)) == ["a", "crc32"] and line.endswith(b"}\n")


def test_a_file_system_without_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_locks(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(jsonl.fcntl, "flock", no_locks)
    with LineFile(tmp_path / "log.jsonl") as file:
        file.append(ROWS[0])
    said = capsys.readouterr().err
    assert "no locks" in said and "run only one command at a time here" in said
    append_line(tmp_path / "log.jsonl", ROWS[1])  # of those that append to it one line at a time
    assert rows(tmp_path / "log.jsonl") == ROWS[:2] and not capsys.readouterr().err
