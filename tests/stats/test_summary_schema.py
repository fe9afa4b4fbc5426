"""summary.json is what its schema says, comes back as it was, and docs/report.md names each field.

`python tests/stats/test_summary_schema.py` writes the table of docs/report.md again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from small_logs import header, record

from worldgym.errors import InputError
from worldgym.io.json_form import field_docs, record_doc, records_in
from worldgym.io.records import field_types
from worldgym.stats.confusion import Confusion
from worldgym.stats.judge_calibration import Calibration
from worldgym.stats.summarize import summarize
from worldgym.stats.summary import SUMMARY_NAME, Summary, summary_schema
from worldgym.stats.world_trust import Trusted, WorldTrust

PAGE = Path(__file__).parents[2] / "docs" / "report.md"
BEGIN, END = "<!-- fields of summary.json -->\n", "<!-- end of the fields -->\n"


def whole() -> Summary:
    """A summary in which every kind of record stands."""
    edit = {"nominal": "door/4", "axis": "light", "group": "dim/door", "truth": False}
    records = [
        *(
            record(name, f"door/{i}", 1.0 if i < wins else 0.5, truth=i < wins + 1)
            for name, wins in (("g@1k", 1), ("g@2k", 3))
            for i in range(5)
        ),
        *(record("h", f"door/{i}", float(i > 1), truth=i > 2, flags=("odd",)) for i in range(5)),
        *(record(name, "dim/door/4", 0.0, **edit) for name in ("h", "g@2k")),
        record("h", "lid/1", None),
        record("h", "lid/2", failure_reason="hung up"),
    ]
    planned = {"door": 6, "lid": 3}
    check = WorldTrust("w", {"door": Trusted("green", "all right")})
    judge = header(["g@1k", "g@2k", "h"]).judge
    calibration = Calibration(judge, Confusion(18, 2, 3, 17, 0, 0))
    return summarize(header(["g@1k", "g@2k", "h"], planned), records, calibration, check)


def test_a_summary_fits_its_schema_and_comes_back() -> None:
    schema = summary_schema()
    for summary in (whole(), summarize(header([]), []), summarize(header(["a"]), [])):
        values = json.loads(json.dumps(summary.to_json(), allow_nan=False))
        assert misfit(values, schema, schema["$defs"]) == ""
        assert Summary.from_json(values) == summary


def test_every_record_of_the_schema_stands_in_the_summary() -> None:
    """So that no part of it goes untested."""
    found = set[type]()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, tuple | list):
            for one in value:
                walk(one)
        elif type(value) in records_in(Summary):
            found.add(type(value))
            walk(list(vars(value).values()))

    walk(whole())
    assert found == set(records_in(Summary))


@pytest.mark.parametrize(
    "change, where",
    [
        (lambda v: v["cells"][0].update(trials="three"), "cells[0].trials"),
        (lambda v: v["agreement"].update(pearson="high"), "agreement.pearson"),
        (lambda v: v["expenses"].update(minutes=3), "expenses.minutes"),
        (lambda v: v.pop("world"), "world"),
        (lambda v: v["trust"].update(tasks=[]), "trust.tasks"),
    ],
)
def test_a_wrong_value_is_named_by_schema_and_reader(
    change: Any, where: str, tmp_path: Path
) -> None:
    values, schema = whole().to_json(), summary_schema()
    change(values)
    assert misfit(values, schema, schema["$defs"]) == where
    (tmp_path / SUMMARY_NAME).write_text(json.dumps(values))
    with pytest.raises(InputError, match=r"summary\.json.*write it again") as told:
        Summary.read(tmp_path)
    assert where in str(told.value)


def test_a_summary_of_an_earlier_version_opens(tmp_path: Path) -> None:
    summary = whole()
    text = json.dumps(summary.to_json()).replace('"initial_frames":', '"frames":')
    text = text.replace('"trial_initial_frames":', '"trial_frames":')
    text = text.replace('"initial_frame":', '"task":')
    (tmp_path / SUMMARY_NAME).write_text(text)
    assert '"frames"' in text and '"trial_frames"' in text
    assert Summary.read(tmp_path) == summary


def misfit(value: Any, schema: dict[str, Any], defs: dict[str, Any], where: str = "") -> str:
    """Where a value does not fit, by the words of JSON Schema that ours uses; empty if it does."""
    if "$ref" in schema:
        return misfit(value, defs[schema["$ref"].rsplit("/", 1)[1]], defs, where)
    if "anyOf" in schema:
        found = [misfit(value, option, defs, where) for option in schema["anyOf"]]
        return "" if "" in found else max(found, key=len)
    if "type" not in schema:
        return ""
    kinds: dict[str, Any] = {"string": (str,), "integer": (int,), "number": (int, float)}
    kinds |= {"boolean": (bool,), "null": (type(None),), "array": (list,), "object": (dict,)}
    if type(value) not in kinds[schema["type"]]:
        return where
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return where
        parts = [(f"{where}[{i}]", one, schema["items"]) for i, one in enumerate(value)]
    elif isinstance(value, dict) and "properties" in schema:
        names, before = schema["properties"], f"{where}." if where else ""
        for name in {*schema["required"]} - {*value} | {*value} - {*names}:
            return f"{before}{name}"
        parts = [(f"{before}{name}", one, names[name]) for name, one in value.items()]
    elif isinstance(value, dict):
        inner = schema.get("additionalProperties", {})
        parts = [(f"{where}.{name}", one, inner) for name, one in value.items()]
    else:
        parts = []
    return next(filter(None, (misfit(one, kind, defs, place) for place, one, kind in parts)), "")


def field_table() -> str:
    """Every field of summary.json, record by record, as docs/report.md has them."""
    parts = []
    for one in records_in(Summary):
        docs = field_docs(one)
        rows = [
            f"| `{name}` | {_kind(hint)} | {docs[name]} |\n"
            for name, hint in field_types(one).items()
        ]
        title = "summary.json" if one is Summary else one.__name__
        head = (
            f"#### {title}\n\n{record_doc(one)}\n\n| field | holds | what |\n| --- | --- | --- |\n"
        )
        parts.append(head + "".join(rows))
    return "\n".join(parts)


def _kind(hint: Any) -> str:
    """An annotation in the words of JSON: "list of CellSummary", "number or null"."""
    known = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if hint in known:
        return known[hint]
    if hint is type(None):
        return "null"
    if hint is Any:
        return "any value"
    parts = get_args(hint)
    if not parts:
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if get_origin(hint) is tuple:
        free = parts[-1] is Ellipsis
        return f"list of {'' if free else f'{len(parts)} x '}{_kind(parts[0])}"
    if get_origin(hint) is Mapping:
        return f"by name: {_kind(parts[1])}"
    return " or ".join(map(_kind, parts))


def test_the_docs_name_every_field() -> None:
    told = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert told == field_table(), "run `python tests/stats/test_summary_schema.py`"


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + field_table() + END + rest.partition(END)[2], encoding="utf-8")
