"""Typed records as plain JSON, back again, and as a JSON Schema: all three from their annotations.

A record is a frozen dataclass of numbers, strings, further records, tuples, lists and mappings of
these. The string below a field says what it holds, and is its description in the schema.
"""

from __future__ import annotations

import ast
import inspect
import reprlib
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
SCALARS: Mapping[type, tuple[tuple[type, ...], str]] = {  # what `json.loads` gives, and its name
    str: ((str,), "string"),
    int: ((int,), "integer"),
    float: ((int, float), "number"),
    bool: ((bool,), "boolean"),
    NoneType: ((NoneType,), "null"),
}


def to_json(value: Any) -> Any:
    """Records => dicts, tuples => lists, all the way down."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(one) for one in value]
    return value


def from_json(kind: type[T], value: Any) -> T:
    """The record that `to_json` made the value of. ValueError names the field that does not fit.

    A field with a default may be missing; one that the record does not have is an error.
    """
    record: T = _read(kind, value, kind.__name__)
    return record


def json_schema(record: type) -> dict[str, Any]:
    """JSON Schema of a record; the records that it holds stand under $defs by their names."""
    defs: dict[str, Any] = {}
    _schema(record, defs)
    return {**defs.pop(record.__name__), "$defs": dict(sorted(defs.items()))}


@cache
def field_docs(record: type) -> Mapping[str, str]:
    """What the strings below a record's fields say, inherited fields included."""
    docs: dict[str, str] = {}
    for part in reversed(record.__mro__):
        if not is_dataclass(part):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
        assert isinstance(tree, ast.ClassDef)
        for line, below in pairwise(tree.body):
            if (
                isinstance(line, ast.AnnAssign)
                and isinstance(line.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                docs[line.target.id] = " ".join(str(below.value.value).split())
    return docs


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _record(kind, value, where)
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if value is None and NoneType in parts:
            return None
        (known,) = (part for part in parts if part is not NoneType)
        return _read(known, value, where)
    if origin is Literal and value in parts:
        return value
    if origin in (tuple, list, Sequence) and isinstance(value, list):
        kinds = [parts[0]] * len(value) if _repeated(origin, parts) else list(parts)
        if len(kinds) == len(value):
            pairs = enumerate(zip(kinds, value, strict=True))
            found = [_read(part, one, f"{where}[{i}]") for i, (part, one) in pairs]
            return found if origin is list else tuple(found)
    if origin is Mapping and isinstance(value, dict):
        return {key: _read(parts[1], one, f"{where}.{key}") for key, one in value.items()}
    if kind in SCALARS and type(value) in SCALARS[kind][0]:  # exactly: True is no int
        return value
    raise ValueError(f"{where} holds {reprlib.repr(value)}, which is not {_named(kind)}")


def _record(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} holds {reprlib.repr(value)}, which is not {_named(kind)}")
    kinds = get_type_hints(kind)
    for f in fields(kind):
        if f.default is MISSING and f.default_factory is MISSING and f.name not in value:
            raise ValueError(f"{where}.{f.name} is missing")
    names = {f.name for f in fields(kind)}
    if unknown := [name for name in value if name not in names]:
        raise ValueError(f"{where}.{unknown[0]} is unknown to this version")
    return kind(**{name: _read(kinds[name], one, f"{where}.{name}") for name, one in value.items()})


def _schema(kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    if kind is Any:
        return {}
    if is_dataclass(kind):
        assert isinstance(kind, type)
        if kind.__name__ not in defs:
            defs[kind.__name__] = {}  # a record may hold itself
            defs[kind.__name__] = _record_schema(kind, defs)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(part, defs) for part in parts]}
    if origin is Literal:
        return {"enum": list(parts)}
    if origin in (tuple, list, Sequence):
        if _repeated(origin, parts):
            return {"type": "array", "items": _schema(parts[0], defs)}
        each = [_schema(part, defs) for part in parts]
        return {"type": "array", "prefixItems": each, "items": False, "minItems": len(each)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(parts[1], defs)}
    return {"type": SCALARS[kind][1]}


def _record_schema(record: type, defs: dict[str, Any]) -> dict[str, Any]:
    kinds, docs, properties = get_type_hints(record), field_docs(record), dict[str, Any]()
    for f in fields(record):
        properties[f.name] = _schema(kinds[f.name], defs)
        if f.name in docs:
            properties[f.name] = {**properties[f.name], "description": docs[f.name]}
    return {
        "type": "object",
        "description": " ".join(inspect.cleandoc(record.__doc__ or "").split()),
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _repeated(origin: Any, parts: tuple[Any, ...]) -> bool:
    """Whether all items are of one kind: list[T], Sequence[T] and tuple[T, ...]."""
    return origin is not tuple or parts[-1] is Ellipsis


def _named(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
