"""Where no run is, what lies there instead is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import worldgym as wg
from worldgym.errors import InputError
from worldgym.evaluation.export import export
from worldgym.io.run_log import LOG_NAME, each_outcome, read_log

READERS: dict[str, Callable[[Path], object]] = {
    "read": lambda folder: read_log(folder / LOG_NAME),
    "outcomes": lambda folder: each_outcome(folder / LOG_NAME),
    "run": wg.Run,
    "compare": wg.compare,
    "export": lambda folder: export(folder, folder.parent / "t.csv", None),
}


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_run_is_said(reader: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name in "abcdefg":
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / LOG_NAME).touch()
    for folder, said in (
        ("absent", "absent: no such folder; give the folder of a run"),
        ("file", "file: is a file; give the folder of a run, which holds log"),
        ("empty", r"empty: holds no run \(no log\.jsonl\); give"),
        ("runs", "runs: is a folder of runs; give one of them: .*runs/a, .*runs/e, ...$"),
    ):
        with pytest.raises(InputError, match=said):
            READERS[reader](tmp_path / folder)
