"""The trials of a run as a table for other programs, and the log's JSON Schema."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

from worldgym.errors import MissingExtra
from worldgym.files import write_atomic
from worldgym.log import LOG_NAME, VERSION, RunHeader, TrialRecord, read_log
from worldgym.types import Vote

_SCHEMAS: Mapping[str, dict[str, Any]] = {  # of the annotations in use
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "tuple[str, ...]": {"type": "array", "items": {"type": "string"}},
    "tuple[Vote, ...]": {"type": "array", "items": {"$ref": "#/$defs/vote"}},
    "tuple[Mapping[str, Any], ...]": {"type": "array", "items": {"type": "object"}},
    "Mapping[str, Any]": {"type": "object"},
}


def export(run: Path, table: Path | None, parquet: Path | None) -> int:
    """Writes every attempt of RUN/log.jsonl as a row of a CSV file, of a Parquet file, or of both => how many.

    Columns are the fields of `TrialRecord`; lists and mappings are JSON text. None is an empty field in CSV, null in Parquet.
    """
    _, records = read_log(run / LOG_NAME)
    rows = [_row(record) for record in records]
    names = [f.name for f in fields(TrialRecord)]
    if table is not None:
        write_atomic(table, _csv(names, rows))
    if parquet is not None:
        write_atomic(parquet, _parquet(names, rows))
    return len(rows)


def log_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one line of log.jsonl: a header or a trial. Fields with a default may be missing."""
    header, trial = _object(RunHeader, "header", version=VERSION), _object(TrialRecord, "trial")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of a WorldGym run log, version {VERSION}",
        "oneOf": [{"$ref": "#/$defs/header"}, {"$ref": "#/$defs/trial"}],
        "$defs": {"header": header, "trial": trial, "vote": _object(Vote)},
    }


def _object(kind: type[RunHeader] | type[TrialRecord] | type[Vote], name: str = "", **constants: int) -> dict[str, Any]:
    fixed: dict[str, Any] = ({"type": name} if name else {}) | constants
    properties = {key: {"const": value} for key, value in fixed.items()}
    properties |= {f.name: _schema(str(f.type)) for f in fields(kind)}
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    return {"type": "object", "properties": properties, "required": [*fixed, *needed], "additionalProperties": False}


def _schema(annotation: str) -> dict[str, Any]:
    parts = [_SCHEMAS[part] for part in annotation.split(" | ")]
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


def _row(record: TrialRecord) -> dict[str, Any]:
    return {key: json.dumps(v) if isinstance(v, tuple | list | dict) else v for key, v in asdict(record).items()}


def _csv(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", "Parquet files") from error
    kinds = {"str": pyarrow.string(), "int": pyarrow.int64(), "float": pyarrow.float64(), "bool": pyarrow.bool_()}
    types = {f.name: kinds.get(str(f.type).removesuffix(" | None"), pyarrow.string()) for f in fields(TrialRecord)}
    schema = pyarrow.schema([(name, types[name]) for name in names])
    sink = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema), sink)
    return sink.getvalue()
