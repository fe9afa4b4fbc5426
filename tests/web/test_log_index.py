"""The table says of every trial what reading the log whole says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from app_runs import fill, header, trial

from worldgym.errors import InputError
from worldgym.io.run_log import LOG_NAME, RunLog, read_log
from worldgym.io.run_records import results
from worldgym.types import Vote
from worldgym.web.live_counts import LiveCounts
from worldgym.web.log_index import VERDICTS, LogIndex


def records() -> list:  # type: ignore[type-arg]
    return [
        trial("good", "door", 0, score=None, reason="", failure_reason="hung up", video=None),
        trial("good", "door", 0, attempt=2),
        trial("good", "door", 1, score=0.5, votes=(Vote(1.0), Vote(0.0), Vote(0.0), Vote(None))),
        trial("poor", "door", 0, score=None, reason="too dark \u2603 \x07"),
        trial("poor", "door", 0, attempt=2, score=None, failure_reason="later", reason=""),
        trial("poor", "drawer", 2, score=None, failure_reason="gone", reason=""),
    ]


def test_it_knows_what_the_whole_log_says(tmp_path: Path) -> None:
    run = fill(tmp_path, header(), records())
    index = LogIndex(run)
    assert index.update() and not index.update()
    outcome = results(read_log(run / LOG_NAME)[1])
    rows = index.rows()
    read = index.records(rows.tolist())
    assert sorted(read, key=str) == sorted(outcome.finished + outcome.failed, key=str)
    for row, record in zip(rows, read, strict=True):
        name = VERDICTS[index.column("verdict", rows)[list(rows).index(row)]]
        expected = "failed" if not record.finished else "unscored" if record.score is None else None
        assert expected is None or name == expected
        assert index.find(*record.key) == row
    assert index.find("good", "door", 1) is None
    assert index.column("disagreement", rows).max() == pytest.approx(1 / 3)
    assert index.header is not None and index.header.world == "world-1"


def test_it_follows_a_log_line_by_line_and_never_half_a_line(tmp_path: Path) -> None:
    run = fill(tmp_path / "whole", header(), records())
    data = (run / LOG_NAME).read_bytes()
    log = tmp_path / LOG_NAME
    log.write_bytes(b"")
    index = LogIndex(tmp_path)
    for end in range(0, len(data), 37):
        log.write_bytes(data[:end])
        index.update()
        assert index.lines == data[:end].count(b"\n")
    log.write_bytes(data)
    index.update()
    whole = LogIndex(run)
    whole.update()
    assert index.columns == whole.columns and index.tasks.texts == whole.tasks.texts


def test_another_log_in_its_place_is_read_anew(tmp_path: Path) -> None:
    run = fill(tmp_path, header(), records())
    index = LogIndex(run)
    index.update()
    (run / LOG_NAME).unlink()
    with RunLog.open(run, header()) as log:
        log.append(records()[0])
    index.update()
    assert index.attempts == 1


@pytest.mark.parametrize("begun", [0, 1, 5])
@pytest.mark.parametrize("told", ["world-2", "world-1"])
def test_a_longer_log_in_its_place_is_read_anew(tmp_path: Path, begun: int, told: str) -> None:
    """Also where its header is the same, byte by byte, and the file has the old one's inode."""
    run = fill(tmp_path / "a", header(), records()[:begun])
    counts = LiveCounts(LogIndex(run))
    counts.refresh()
    again = [replace(record, seed=99) for record in records()[::-1]]
    other = fill(tmp_path / "b", replace(header(("poor", "good")), world=told), again)
    (run / LOG_NAME).write_bytes((other / LOG_NAME).read_bytes())
    assert counts.refresh()
    whole = LiveCounts(LogIndex(other))
    whole.refresh()
    assert counts.index.columns == whole.index.columns and counts.index.header is not None
    assert counts.index.header.world == told
    assert counts.cells == whole.cells and not counts.refresh()


@pytest.mark.parametrize("damage", [b"{}\n", b"[1]\n", b"nonsense\n", b'{"type": "trial"}\n'])
def test_a_damaged_line_is_named(tmp_path: Path, damage: bytes) -> None:
    run = fill(tmp_path, header(), records()[:1])
    with (run / LOG_NAME).open("ab") as file:
        file.write(damage)
    with pytest.raises(InputError, match="line 3"):
        LogIndex(run).update()
    changed = (run / LOG_NAME).read_bytes().replace(b"hung up", b"hung XX").removesuffix(damage)
    (run / LOG_NAME).write_bytes(changed)
    with pytest.raises(InputError, match=r"line 2.*checksum"):
        LogIndex(run).update()
