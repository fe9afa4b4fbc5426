"""The one validator: a mapping from JSON or TOML becomes a dataclass, or one sentence says what is
wrong. An error names the path of the field, its value and what it must be:

    "server.timeout_seconds" holds 'long'; it must be a number
    "colour" is unknown (did you mean color?); known are name, color

The same annotations give a record's JSON Schema and its columns in a table: `record_schema.py`.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from worldgym.errors import InputError, did_you_mean

T = TypeVar("T")
Readers = Mapping[Any, Callable[[Any], Any]]


@dataclass(frozen=True)
class Scalar:
    """parsed: types that a parser gives.   word, words: for errors.   schema: JSON Schema's
    name.   arrow: Arrow's."""

    parsed: tuple[type, ...]
    word: str
    words: str
    schema: str
    arrow: str


SCALARS: Mapping[Any, Scalar] = {
    str: Scalar((str,), "a text", "texts", "string", "string"),
    int: Scalar((int,), "a whole number", "whole numbers", "integer", "int64"),
    float: Scalar((int, float), "a number", "numbers", "number", "float64"),
    bool: Scalar((bool,), "true or false", "truth values", "boolean", "bool"),
    Path: Scalar((str,), "the name of a file", "names of files", "string", "string"),
}


class RecordFault(InputError, ValueError):
    """A value is not the field that it stands for."""


def from_mapping(
    kind: type[T],
    data: Any,
    given: Mapping[str, Any] | None = None,
    readers: Readers | None = None,
    place: str = "",
    more: bool = False,
) -> T:
    """The dataclass of a mapping; fields with a default may be missing.

    Annotations may be scalars, `Path`, None, `Literal`, unions, dataclasses, `tuple` and `Mapping`
    of these; `Any` takes what there is. A whole number is accepted for a `float` and stays one.
    given:   fields that come from elsewhere, and may not stand in the data.
    readers: annotation => what makes a value of it, instead of the rule here.
    place:   of the data in a larger one.   more: other keys than the fields are left alone.
    RecordFault names the first thing that does not fit; whatever the class itself raises passes."""
    record: Any = kind
    given = given or {}
    hints = _field_types(record)
    known = [name for name in hints if name not in given]
    if not isinstance(data, Mapping):
        raise _fault(place or kind.__name__.lower(), data, f"a table of {', '.join(known)}")
    for name in () if more else data:
        if name not in hints or name in given:
            hint = did_you_mean(str(name), known)
            raise RecordFault(
                f'"{_inside(place, str(name))}" is unknown{hint}; known are {", ".join(known)}'
            )
    for name in required(record):
        if name not in data and name not in given:
            raise RecordFault(f'"{_inside(place, name)}" is missing')
    plain = {} if readers else _plain(record)
    values = {
        name: value
        if type(value) in plain.get(name, ())
        else _value(hints[name], value, readers or {}, _inside(place, name))
        for name, value in data.items()
        if name in hints and name not in given
    }
    return kind(**values, **given)


@contextmanager
def located(where: object, remedy: str = "") -> Iterator[None]:
    """Puts the place, and a remedy, to the errors of what is read inside: an InputError each."""
    try:
        yield
    except (InputError, ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{where}: {error}" + (f"; {remedy}" if remedy else "")) from error


def field_types(kind: Any) -> Mapping[str, Any]:
    """Annotations of the fields that may be given, by name, in their order."""
    return _field_types(kind)


@cache
def _field_types(kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind) if f.init}


@cache
def required(kind: Any) -> tuple[str, ...]:
    """Names of the fields without a default."""
    return tuple(
        f.name
        for f in fields(kind)
        if f.init and f.default is MISSING and f.default_factory is MISSING
    )


@cache
def _plain(kind: Any) -> Mapping[str, frozenset[type]]:
    """By field, the types whose values it takes as they are. A log has millions of them."""
    return {name: _as_they_are(hint) for name, hint in _field_types(kind).items()}


@cache
def _as_they_are(hint: Any) -> frozenset[type]:
    if hint is NoneType:
        return frozenset({NoneType})
    if hint in SCALARS:
        # of a float no whole number: one may be too large
        return frozenset(() if hint is Path else SCALARS[hint].parsed[-1:])
    origin, parts = _form(hint)
    if origin in (Union, UnionType):
        return frozenset[type]().union(*map(_as_they_are, parts))
    return frozenset()


@cache
def _form(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Origin and arguments of an annotation. Kept, because a log has millions of values."""
    return get_origin(hint), get_args(hint)


def _value(hint: Any, value: Any, readers: Readers, place: str) -> Any:
    if hint in readers:
        return readers[hint](value)
    if hint is Any:
        return value
    if hint in SCALARS:
        if type(value) not in SCALARS[hint].parsed:  # exactly: True is no whole number
            raise _fault(place, value, _words(hint))
        if hint is float and type(value) is int and abs(value) > sys.float_info.max:
            raise _fault(place, value, "a finite number")
        return Path(value) if hint is Path else value
    if isinstance(hint, type) and is_dataclass(hint):
        return from_mapping(hint, value, None, readers, place)
    origin, parts = _form(hint)
    if origin is Literal:
        if value not in parts or type(value) is not type(parts[parts.index(value)]):
            raise _fault(place, value, _words(hint))
        return value
    if origin in (Union, UnionType):
        return _either(hint, value, readers, place)
    if origin is tuple:
        return _tuple(hint, value, readers, place)
    if not isinstance(value, dict):
        raise _fault(place, value, _words(hint))
    if not value or (not readers and parts[1] in SCALARS and _all(parts[1], value.values())):
        return dict(value)
    return {key: _value(parts[1], item, readers, f"{place}.{key}") for key, item in value.items()}


def _either(hint: Any, value: Any, readers: Readers, place: str) -> Any:
    """The first part of a union that fits."""
    _, arguments = _form(hint)
    parts = [part for part in arguments if part is not NoneType]
    if value is None and len(parts) < len(arguments):
        return None
    if len(parts) == 1 and parts[0] not in SCALARS:
        return _value(parts[0], value, readers, place)
    for part in parts:
        try:
            return _value(part, value, readers, place)
        except RecordFault:
            continue
    raise _fault(place, value, _words(hint))


def _tuple(hint: Any, value: Any, readers: Readers, place: str) -> tuple[Any, ...]:
    """`tuple[float, float]` takes [1, 2]; `tuple[str, ...]` takes a list of any length."""
    _, parts = _form(hint)
    free = parts[-1] is Ellipsis
    if not isinstance(value, list | tuple) or not (free or len(value) == len(parts)):
        raise _fault(place, value, _words(hint))
    if free and (not value or (not readers and _all(parts[0], value))):
        return tuple(value)
    kinds = [parts[0]] * len(value) if free else parts
    return tuple(
        _value(kind, item, readers, f"{place}[{i}]")
        for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _all(hint: Any, values: Iterable[Any]) -> bool:
    """Whether all are taken as they are."""
    taken = _as_they_are(hint)
    return bool(taken) and all(type(value) in taken for value in values)


def _words(hint: Any) -> str:
    """What an annotation asks for: "a whole number"."""
    if hint in SCALARS:
        return SCALARS[hint].word
    origin = get_origin(hint)
    parts = get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(repr, parts))
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in parts if part is not NoneType)
    if origin is tuple:
        items = SCALARS[parts[0]].words if parts[0] in SCALARS else "values"
        items = items if get_origin(parts[0]) is not tuple else "lists"
        return f"a list of {items}" if parts[-1] is Ellipsis else f"a list of {len(parts)} {items}"
    return "a table"


def _fault(place: str, value: Any, wanted: str) -> RecordFault:
    return RecordFault(f'"{place}" holds {reprlib.repr(value)}; it must be {wanted}')


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def first_difference(found: Any, wanted: Any, where: str = "") -> str | None:
    """Where two values of JSON differ, in words: "config.steps is 40 there and 20 now"; None where
    they are alike.

    The first difference, depth-first in the order of the first value's keys.
    """
    if isinstance(found, dict) and isinstance(wanted, dict):
        pairs = [
            (_inside(where, key), found.get(key), wanted.get(key)) for key in {**found, **wanted}
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
