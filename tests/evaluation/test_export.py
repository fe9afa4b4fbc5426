"""The log as tables, and a schema that its lines fit."""

from __future__ import annotations

import csv
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from worldgym.errors import InputError
from worldgym.evaluation.export import export, log_schema
from worldgym.io.run_log import LOG_NAME, RunLog
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.types import Vote


@pytest.fixture
def run(tmp_path: Path) -> Path:
    log = RunLog.open(
        tmp_path, RunHeader({}, "worldgym evaluate", ({"name": "p"},), "w", "j", 0, {}, "")
    )
    log.append(
        TrialRecord("p", "door/1", "door", 'say "open", please\nnow', 0, 7, failure_reason="gone")
    )
    votes = (Vote(1.0, "open"), Vote(None, "dark"))
    log.append(
        TrialRecord(
            "p",
            "door/1",
            "door",
            "open",
            0,
            7,
            attempt=2,
            score=1.0,
            truth=True,
            votes=votes,
            flags=("a", "b"),
        )
    )
    return tmp_path


def test_a_table_replaces_neither_the_log_nor_the_other_table(run: Path) -> None:
    before = (run / LOG_NAME).read_bytes()
    (run / "linked.csv").symlink_to(run / LOG_NAME)
    for place in (run / LOG_NAME, run / "linked.csv"):
        for tables in ((place, None), (None, place)):
            with pytest.raises(InputError, match=r"log\.jsonl is the place of a run's log"):
                export(run, *tables)
    with pytest.raises(InputError, match="given for both tables"):
        export(run, run / "t", run / "x" / ".." / "t")
    assert (run / LOG_NAME).read_bytes() == before and not (run / "t").exists()


def test_csv_holds_every_field_of_every_attempt(run: Path) -> None:
    assert export(run, run / "t.csv", None) == 2
    rows = list(csv.DictReader((run / "t.csv").read_text().splitlines(keepends=True)))
    assert list(rows[0]) == [f.name for f in fields(TrialRecord)]
    assert (
        rows[0]["instruction"] == 'say "open", please\nnow'
        and rows[0]["score"] == ""
        and rows[0]["failure_reason"] == "gone"
    )
    assert (
        rows[1]["score"] == "1.0"
        and rows[1]["truth"] == "True"
        and json.loads(rows[1]["flags"]) == ["a", "b"]
    )
    assert json.loads(rows[1]["votes"])[1]["reason"] == "dark"


def test_parquet_keeps_types_and_nulls(run: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra data")
    export(run, None, run / "t.parquet")
    first, second = parquet.read_table(run / "t.parquet").to_pylist()
    assert (
        first["score"] is None
        and first["truth"] is None
        and second["truth"] is True
        and second["attempt"] == 2
    )
    assert [json.loads(second["flags"]), second["seed"]] == [["a", "b"], 7]


def fits(value: Any, schema: dict[str, Any], defs: dict[str, Any]) -> bool:
    """The few words of JSON Schema that ours uses."""
    if "$ref" in schema:
        return fits(value, defs[schema["$ref"].rsplit("/", 1)[1]], defs)
    if "const" in schema or "enum" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if options := schema.get("oneOf", schema.get("anyOf")):
        return sum(fits(value, option, defs) for option in options) >= 1
    kinds: dict[str, Any] = {
        "string": str,
        "number": (int, float),
        "integer": int,
        "boolean": bool,
        "null": type(None),
    }
    kinds |= {"array": list, "object": dict}
    if not isinstance(value, kinds[schema["type"]]):
        return False
    if isinstance(value, list):
        return all(fits(item, schema["items"], defs) for item in value)
    if isinstance(value, dict) and "properties" in schema:
        known = set(value) <= set(schema["properties"]) and set(schema["required"]) <= set(value)
        return known and all(
            fits(item, schema["properties"][key], defs) for key, item in value.items()
        )
    return True


def test_every_line_fits_the_schema_and_wrong_ones_do_not(run: Path) -> None:
    schema = log_schema()
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 3 and all(fits(line, schema, schema["$defs"]) for line in lines)
    for wrong in (
        {**lines[1], "score": "high"},
        {**lines[1], "unknown": 1},
        {"type": "trial"},
        {**lines[0], "version": 99},
    ):
        assert not fits(wrong, schema, schema["$defs"])
