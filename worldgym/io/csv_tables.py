"""Tables that the user writes: CSV files with named columns."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.files import unreadable
from worldgym.io.text import clean


def read_csv(
    path: Path, columns: Sequence[str], optional: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
    """(line number, text of each column without surrounding space) of every row of a CSV file in
    UTF-8.

    `columns` must be there; an absent column of `optional` reads as "", and so does a cell that a
    short row lacks."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise unreadable(
                    path,
                    f"lacks the column {missing[0]}; its first line must name {', '.join(columns)}"
                    f"{_as_read(reader.fieldnames or (), missing[0])}",
                )
            wanted = [*columns, *optional]
            return [
                (reader.line_num, {column: clean(row.get(column, "")).strip() for column in wanted})
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: cannot be read as a table ({error}); it must be a CSV file in UTF-8"
        ) from error


def _as_read(names: Sequence[str], missing: str) -> str:
    """What a table's first line holds instead of a column, for the error."""
    first = clean(", ".join(names)).strip()[:200]
    if (mark := next((mark for mark in ";\t|" if mark in first), None)) and len(names) == 1:
        kind = "tabs" if mark == "\t" else f'"{mark}"'
        return f", separated by commas; they are separated by {kind} there"
    if near := next((name for name in names if name.strip().lower() == missing), None):
        return f', in small letters; there it is "{clean(near)}"'
    return f"; there it is {first}" if first else ", but it is empty"
