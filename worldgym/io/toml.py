"""Descriptions in TOML files: a table's values become the fields of a dataclass, and what does not
fit is named."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from worldgym.errors import InputError

JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "Mapping[str, Any]": (dict,),
    "Path": (str,),
}
Readers = Mapping[str, Callable[[Any], Any]]


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The table in a file. `what` says what was wanted, for the error: "a judge is a checkpoint, a
    .toml or a .jsonl file"."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {what}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML ({error})") from error


def read_fields(
    kind: type, table: Any, given: tuple[str, ...] = (), readers: Readers | None = None
) -> dict[str, Any]:
    """The table's values if they are fields of the dataclass and of its types; InputError names the
    first that is not.

    given: fields that come from elsewhere.   readers: annotation => what makes a value of it; it
    raises InputError. Without one, lists of numbers or texts fit the tuples of fixed or free length
    that the dataclass names."""
    where = kind.__name__.lower()
    if not isinstance(table, dict):
        raise InputError(f"[{where}] must be a table, not {table!r}")
    known = {f.name: f for f in fields(kind) if f.name not in given}
    values = {}
    for name, value in table.items():
        if name not in known:
            raise InputError(f'"{name}" is unknown there; known are {", ".join(known)}')
        values[name] = _value(
            name, value, str(known[name].type).removesuffix(" | None"), readers or {}
        )
    for name, f in known.items():
        if f.default is MISSING and f.default_factory is MISSING and name not in table:
            raise InputError(f'"{name}" is missing in the table [{where}]')
    return values


def _value(name: str, value: Any, wanted: str, readers: Readers) -> Any:
    if wanted in readers:
        return readers[wanted](value)
    if wanted.startswith("tuple["):
        return _tuple(name, value, wanted)
    if not isinstance(value, JSON_TYPES[wanted]) or (isinstance(value, bool) and wanted != "bool"):
        raise InputError(f'"{name}" is {value!r}, which is no {wanted}')
    return Path(str(value)) if wanted == "Path" else value


def _tuple(name: str, value: Any, wanted: str) -> tuple[Any, ...]:
    """ "tuple[float, float]" takes [1, 2]; "tuple[str, ...]" takes a list of any length."""
    parts = wanted.removeprefix("tuple[").removesuffix("]").split(", ")
    if not isinstance(value, list) or (parts[-1] != "..." and len(value) != len(parts)):
        length = "a list" if parts[-1] == "..." else f"a list of {len(parts)}"
        raise InputError(f'"{name}" is {value!r}; write {length}')
    return tuple(_value(name, item, parts[0], {}) for item in value)
