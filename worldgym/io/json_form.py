"""Records as plain JSON, with descriptions: the string below a field is its description,
in the JSON Schema as in the docs. `records.from_mapping` reads them back."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from itertools import pairwise
from typing import Any, get_args

from worldgym.io.record_schema import schema
from worldgym.io.records import field_types


def to_json(value: Any) -> Any:
    """Records => dicts, tuples => lists, all the way down."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(one) for one in value]
    return value


def written_schema(record: type) -> dict[str, Any]:
    """JSON Schema of what `to_json` makes of a record: every field is there, with its description;
    records in it stand under $defs."""
    inner = {one.__name__.lower(): _described(one) for one in records_in(record) if one != record}
    return {**_described(record), "$defs": inner}


def records_in(record: type) -> tuple[type, ...]:
    """The record, and all that stand in its fields, each once, in the order of the fields."""
    return tuple(dict.fromkeys(_walk(record)))


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


def record_doc(record: type) -> str:
    """Its docstring in one line."""
    return " ".join(inspect.cleandoc(record.__doc__ or "").split())


def _described(record: type) -> dict[str, Any]:
    plain = schema(record)
    docs = field_docs(record)
    properties = {
        name: {**kind, "description": docs[name]} if name in docs else kind
        for name, kind in plain["properties"].items()
    }
    told = {"description": record_doc(record), "properties": properties}
    return {**plain, **told, "required": list(properties)}


def _walk(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
        for inner in field_types(hint).values():
            yield from _walk(inner)
    for part in get_args(hint):
        yield from _walk(part)
