"""The trials of a run as a table for other programs, and JSON Schemas of its files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from worldgym.errors import MissingExtra
from worldgym.io.files import write_atomic, write_json
from worldgym.io.jsonl import CHECKSUM
from worldgym.io.records import column, field_types, schema
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_records import READABLE_VERSIONS, VERSION, RunHeader, TrialRecord
from worldgym.stats.summary import summary_schema
from worldgym.types import Vote


def export(run: Path, table: Path | None, parquet: Path | None) -> int:
    """Writes every attempt of RUN/log.jsonl as a row of a CSV file, of a Parquet file, or of both
    => how many.

    Columns are the fields of `TrialRecord`; lists and mappings are JSON text. None is an empty
    field in CSV, null in Parquet."""
    _, records = read_log(run / LOG_NAME)
    rows = [as_row(record) for record in records]
    names = [f.name for f in fields(TrialRecord)]
    if table is not None:
        write_atomic(table, _csv(names, rows))
    if parquet is not None:
        write_atomic(parquet, _parquet(rows))
    return len(rows)


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


def _csv(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", "Parquet files") from error
    types = [
        (name, pyarrow.type_for_alias(column(hint)))
        for name, hint in field_types(TrialRecord).items()
    ]
    sink = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), pyarrow.schema(types)), sink)
    return sink.getvalue()
