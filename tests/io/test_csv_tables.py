"""Tables of the user: columns by name, and one sentence for what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from worldgym.errors import InputError
from worldgym.io.csv_tables import read_csv


def test_columns_are_found_by_name_and_short_rows_are_filled(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufefftask,policy,more\n a ,p\x1b,1\n\nb\n")
    assert read_csv(tmp_path / "a.csv", ("policy", "task"), ("note",)) == [
        (2, {"policy": "p", "task": "a", "note": ""}),
        (4, {"policy": "", "task": "b", "note": ""}),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"task\na\n", "lacks the column policy"), (b"\xff\xfe", "must be a CSV file in UTF-8")],
)
def test_what_is_no_such_table(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_csv(tmp_path / "a.csv", ("policy", "task"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("policy;task;success", 'name policy, task, separated by commas; they .* by ";" there$'),
        ("policy\ttask", "separated by commas; they are separated by tabs there$"),
        ("Policy,Task", 'lacks the column policy; .*, in small letters; there it is "Policy"$'),
        (" policy,task", 'in small letters; there it is " policy"$'),
        ("policy,tsk", "lacks the column task; .*task; there it is policy, tsk$"),
        (" ", "first line must name policy, task, but it is empty$"),
    ],
)
def test_a_table_without_a_column_says_what_was_read(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"{line}\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_csv(tmp_path / "t.csv", ("policy", "task"))
