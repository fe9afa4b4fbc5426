"""Mappings become dataclasses; what does not fit is named by its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from worldgym.errors import InputError
from worldgym.io.record_schema import column, schema
from worldgym.io.records import field_types, first_difference, from_mapping, located


@dataclass(frozen=True)
class Place:
    x: float
    y: float = 0.0


@dataclass(frozen=True)
class Thing:
    name: str
    size: float | None = None
    corners: tuple[float, float] = (0.0, 0.0)
    tags: tuple[str, ...] = ()
    on: bool = False
    file: Path | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    at: Place | None = None
    path: tuple[Place, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    colour: Literal["red", "blue"] = "red"
    limit: int | Literal["none"] = "none"
    made: int = field(default=0, init=False)


WHOLE = {
    "name": "a",
    "size": 2,
    "corners": [1, 2.5],
    "tags": ["x"],
    "on": True,
    "file": "f.png",
    "extra": {"k": 1},
    "at": {"x": 1.5},
    "path": [{"x": 1.0, "y": 2.0}],
    "weights": {"a": 1},
    "colour": "blue",
    "limit": 3,
}


def test_values_of_every_kind() -> None:
    assert from_mapping(Thing, WHOLE) == Thing(
        "a",
        2,
        (1, 2.5),
        ("x",),
        True,
        Path("f.png"),
        {"k": 1},
        Place(1.5),
        (Place(1.0, 2.0),),
        {"a": 1},
        "blue",
        3,
    )
    assert from_mapping(Thing, {"name": "a", "size": None, "at": None, "limit": "none"}) == Thing(
        "a"
    )


def test_fields_from_elsewhere_and_other_keys() -> None:
    assert from_mapping(Place, {"y": 2.0}, given={"x": 1.0}) == Place(1.0, 2.0)
    assert from_mapping(Place, {"x": 1.0, "colour": "red"}, more=True) == Place(1.0)
    assert from_mapping(Thing, {"name": "a"}, readers={str: str.upper}) == Thing("A")
    with pytest.raises(InputError, match='"x" is unknown'):
        from_mapping(Place, {"x": 1.0}, given={"x": 2.0})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": 3}, '"name" holds 3; it must be a text'),
        ({"name": None}, '"name" holds None; it must be a text'),
        ({"size": True}, '"size" holds True; it must be a number'),
        ({"size": "1"}, "\"size\" holds '1'; it must be a number"),
        ({"corners": [1]}, '"corners" holds .*; it must be a list of 2 numbers'),
        ({"corners": [1, "2"]}, '"corners.1." holds .*; it must be a number'),
        ({"tags": "x"}, "\"tags\" holds 'x'; it must be a list"),
        ({"on": 1}, '"on" holds 1; it must be true or false'),
        ({"file": 1}, '"file" holds 1; it must be the name of a file'),
        ({"extra": []}, '"extra" holds .*; it must be a table'),
        ({"at": {"y": 1.0}}, '"at.x" is missing'),
        ({"at": [1]}, '"at" holds .1.; it must be a table of x, y'),
        ({"path": [{"x": 1.0}, {"x": "1"}]}, "\"path.1..x\" holds '1'; it must be a number"),
        ({"weights": {"a": None}}, '"weights.a" holds None; it must be a number'),
        ({"colour": "green"}, "\"colour\" holds 'green'; it must be one of .red., .blue."),
        ({"colour": []}, '"colour" holds .*; it must be one of .red., .blue.'),
        ({"limit": 1.5}, '"limit" holds 1.5; it must be a whole number or one of .none.'),
        ({"color": "red"}, r'"color" is unknown \(did you mean colour\?\); known are name, size'),
        ({"made": 1}, '"made" is unknown'),
    ],
)
def test_faults_are_named_by_their_place(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        from_mapping(Thing, WHOLE | changes)


def test_what_is_missing_and_what_is_no_table() -> None:
    with pytest.raises(InputError, match='"name" is missing'):
        from_mapping(Thing, {})
    with pytest.raises(InputError, match=r'"thing" holds .*; it must be a table of name, size'):
        from_mapping(Thing, ["name"])


def test_errors_get_their_place() -> None:
    for error in (ValueError("no"), TypeError("no"), InputError("no"), OverflowError("no")):
        with pytest.raises(InputError, match=r"^x\.toml: no; fix it$"), located("x.toml", "fix it"):
            raise error
    with pytest.raises(KeyError), located("x.toml"):
        raise KeyError("no")


def test_the_schema_says_the_same() -> None:
    found = schema(Thing, type={"const": "thing"})
    assert found["required"] == ["type", "name"] and found["additionalProperties"] is False
    properties = found["properties"]
    assert properties["size"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert properties["corners"] == {
        "type": "array",
        "items": {"type": "number"},
        "minItems": 2,
        "maxItems": 2,
    }
    assert properties["at"] == {"anyOf": [{"$ref": "#/$defs/place"}, {"type": "null"}]}
    assert properties["extra"] == {"type": "object"}
    assert properties["weights"]["additionalProperties"] == {"type": "number"}
    assert properties["colour"] == {"enum": ["red", "blue"]}


def test_columns() -> None:
    hints = field_types(Thing)
    assert {name: column(hints[name]) for name in ("name", "size", "on", "tags", "at")} == {
        "name": "string",
        "size": "float64",
        "on": "bool",
        "tags": "string",
        "at": "string",
    }


def test_the_first_difference_is_named_by_its_place() -> None:
    found, wanted = {"a": 1, "b": {"c": [1, 2]}, "d": 4}, {"a": 1, "b": {"c": [1, 3]}}
    assert first_difference(found, wanted) == "b.c[1] is 2 there and 3 now"
    assert first_difference(found, found) is None


@pytest.mark.parametrize(
    "data", [{"size": 10**400}, {"corners": [0, -(10**400)]}, {"weights": {"a": 10**400}}]
)
def test_a_whole_number_beyond_every_float_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"it must be (a finite number|a number)"):
        from_mapping(Thing, {"name": "a", **data})
