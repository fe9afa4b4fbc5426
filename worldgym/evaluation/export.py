"""The trials of a run as a table for other programs, and JSON Schemas of its files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from worldgym.errors import InputError, MissingExtra
from worldgym.io.files import atomic_file, write_json
from worldgym.io.jsonl import CHECKSUM
from worldgym.io.record_schema import column, schema
from worldgym.io.records import field_types
from worldgym.io.run_log import LOG_NAME, each_record
from worldgym.io.run_records import READABLE_VERSIONS, VERSION, RunHeader, TrialRecord
from worldgym.stats.summary import summary_schema
from worldgym.types import Vote

ROWS = 10_000  # in memory at once; a row group of a Parquet file
Rows: TypeAlias = Sequence[dict[str, Any]]
Write: TypeAlias = Callable[[Rows], object]


def export(run: Path, table: Path | None, parquet: Path | None) -> int:
    """Writes every attempt of RUN/log.jsonl as a row of a CSV file, of a Parquet file, or of both
    => how many.

    Columns are the fields of `TrialRecord`; lists and mappings are JSON text. None is an empty
    field in CSV, null in Parquet. Rows are written as they are read, so that a log of any length
    takes little memory. InputError for a table in place of a log, or of the other table."""
    _check_places(table, parquet)
    count = 0
    with ExitStack() as files:
        writers = []
        if table is not None:
            writers.append(files.enter_context(_csv_rows(table)))
        if parquet is not None:
            writers.append(files.enter_context(_parquet_rows(parquet)))
        records = each_record(run / LOG_NAME)[1]
        while rows := [as_row(record) for record in islice(records, ROWS)]:
            count += len(rows)
            for write in writers:
                write(rows)
    return count


def _check_places(*tables: Path | None) -> None:
    places = [path.resolve() for path in tables if path is not None]
    if len(set(places)) < len(places):
        raise InputError(f"{places[0]} is given for both tables: name two files")
    if lost := [path for path in places if path.name == LOG_NAME]:
        raise InputError(f"{lost[0]} is the place of a run's log: name another file for the table")


def write_schemas(folder: Path) -> None:
    """Writes FOLDER/log.schema.json and FOLDER/summary.schema.json."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "log.schema.json", log_schema())
    write_json(folder / "summary.schema.json", summary_schema())


def log_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one line of log.jsonl: a header or a trial. Fields with a default
    may be missing."""
    header = schema(RunHeader, type={"const": "header"}, version={"enum": list(READABLE_VERSIONS)})
    trial = schema(TrialRecord, type={"const": "trial"})
    for line in (header, trial):
        line["properties"][CHECKSUM] = {"type": "integer"}  # lines of older versions have none
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of a WorldGym run log, version {VERSION}",
        "oneOf": [{"$ref": "#/$defs/header"}, {"$ref": "#/$defs/trial"}],
        "$defs": {"header": header, "trial": trial, "vote": schema(Vote)},
    }


def as_row(record: TrialRecord) -> dict[str, Any]:
    """The fields of an attempt; lists and mappings as JSON text."""
    return {
        key: json.dumps(v) if isinstance(v, tuple | list | dict) else v
        for key, v in asdict(record).items()
    }


@contextmanager
def _csv_rows(path: Path) -> Iterator[Write]:
    with atomic_file(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        writer = csv.DictWriter(text, [f.name for f in fields(TrialRecord)], lineterminator="\n")
        writer.writeheader()
        yield writer.writerows
        text.detach()


@contextmanager
def _parquet_rows(path: Path) -> Iterator[Write]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", "Parquet files") from error
    types = pyarrow.schema(
        [
            (name, pyarrow.type_for_alias(column(hint)))
            for name, hint in field_types(TrialRecord).items()
        ]
    )
    with atomic_file(path) as file, parquet.ParquetWriter(file, types) as writer:

        def write(rows: Rows) -> None:
            writer.write_table(pyarrow.Table.from_pylist(list(rows), types))

        yield write
