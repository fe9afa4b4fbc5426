"""What a field of a record may hold: one table for reading it from JSON, for its JSON Schema and
for its column in a table."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from types import NoneType
from typing import Any


@dataclass(frozen=True)
class Kind:
    """python: types that `json.loads` gives.   schema: JSON Schema.   column: Arrow type; lists and
    mappings are JSON text.

    items: annotation of what it holds, where that is checked here.
    """

    python: tuple[type, ...]
    schema: Mapping[str, Any]
    column: str = "string"
    items: str | None = None


KINDS: Mapping[str, Kind] = {  # of the annotations in use, without "| None"
    "str": Kind((str,), {"type": "string"}),
    "int": Kind((int,), {"type": "integer"}, "int64"),
    "float": Kind((int, float), {"type": "number"}, "float64"),
    "bool": Kind((bool,), {"type": "boolean"}, "bool"),
    "tuple[str, ...]": Kind((list,), {"type": "array", "items": {"type": "string"}}, items="str"),
    "tuple[Vote, ...]": Kind((list,), {"type": "array", "items": {"$ref": "#/$defs/vote"}}),
    "tuple[Mapping[str, Any], ...]": Kind((list,), {"type": "array", "items": {"type": "object"}}),
    "Mapping[str, Any]": Kind((dict,), {"type": "object"}),
    "Mapping[str, float]": Kind(
        (dict,), {"type": "object", "additionalProperties": {"type": "number"}}, items="float"
    ),
}


def field_kind(annotation: str) -> tuple[Kind, bool]:
    """ "float | None" => (its kind, whether null is allowed)."""
    bare = annotation.removesuffix(" | None")
    return KINDS[bare], bare != annotation


def required(record: type) -> list[str]:
    """Names of the fields without a default."""
    return [f.name for f in fields(record) if f.default is MISSING and f.default_factory is MISSING]


def checked(record: type, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values if they are fields of the dataclass with JSON types that fit; else ValueError.

    A field with a default may be missing: logs from before it was added still read.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{reprlib.repr(values)} is not a {record.__name__}")
    expected = {f.name: str(f.type) for f in fields(record)}
    for name in required(record):
        if name not in values:
            raise ValueError(f'"{name}" is missing')
    for name, value in values.items():
        if name not in expected:
            raise ValueError(f'"{name}" is unknown to this version')
        if not _fits(expected[name], value):
            raise ValueError(f'"{name}" holds {reprlib.repr(value)}, which is not {expected[name]}')
    return values


def schema(record: type, **constants: Any) -> dict[str, Any]:
    """JSON Schema of the dataclass as a mapping. constants: schemas of further properties, all
    required."""
    properties = {**constants, **{f.name: _schema(str(f.type)) for f in fields(record)}}
    return {
        "type": "object",
        "properties": properties,
        "required": [*constants, *required(record)],
        "additionalProperties": False,
    }


def _schema(annotation: str) -> Mapping[str, Any]:
    kind, null = field_kind(annotation)
    return {"anyOf": [kind.schema, {"type": "null"}]} if null else kind.schema


def _fits(annotation: str, value: Any) -> bool:
    kind, null = field_kind(annotation)
    allowed = (*kind.python, NoneType) if null else kind.python
    if type(value) not in allowed:  # exactly: True is no int
        return False
    if kind.items is None or value is None:
        return True
    return all(
        _fits(kind.items, item) for item in (value.values() if isinstance(value, dict) else value)
    )


def first_difference(found: Any, wanted: Any, where: str = "") -> str | None:
    """Where two values of JSON differ, in words: "config.steps is 40 there and 20 now"; None where
    they are alike.

    The first difference, depth-first in the order of the first value's keys.
    """
    if isinstance(found, dict) and isinstance(wanted, dict):
        pairs = [
            (f"{where}.{key}" if where else key, found.get(key), wanted.get(key))
            for key in {**found, **wanted}
        ]
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = [
            (f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(found, wanted, strict=True))
        ]
    else:
        return (
            None
            if found == wanted
            else f"{where} is {reprlib.repr(found)} there and {reprlib.repr(wanted)} now"
        )
    return next(filter(None, (first_difference(a, b, key) for key, a, b in pairs)), None)
