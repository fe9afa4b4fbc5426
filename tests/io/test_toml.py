"""Tables become dataclasses; what does not fit is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from worldgym.errors import InputError
from worldgym.io.toml import read_fields, read_toml


@dataclass(frozen=True)
class Thing:
    name: str
    size: float = 1.0
    place: tuple[float, float] = (0.0, 0.0)
    tags: tuple[str, ...] = ()
    on: bool = False
    file: Path | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def test_values_of_every_type() -> None:
    table = {
        "name": "a",
        "size": 2,
        "place": [1, 2.5],
        "tags": ["x"],
        "on": True,
        "file": "f.png",
        "extra": {"k": 1},
    }
    made = Thing(**read_fields(Thing, table))
    assert made == Thing("a", 2, (1, 2.5), ("x",), True, Path("f.png"), {"k": 1})


def test_readers_make_what_a_table_cannot_say() -> None:
    assert read_fields(Thing, {"name": "a"}, readers={"str": lambda value: value.upper()}) == {
        "name": "A"
    }


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({}, '"name" is missing in the table .thing'),
        ({"name": 3}, "which is no str"),
        ({"name": "a", "size": True}, "which is no float"),
        ({"name": "a", "place": [1]}, "a list of 2"),
        ({"name": "a", "place": [1, "2"]}, "which is no float"),
        ({"name": "a", "tags": "x"}, "write a list"),
        ({"name": "a", "colour": 1}, '"colour" is unknown there; known are name'),
        ([], "must be a table"),
    ],
)
def test_faults(table: Any, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        read_fields(Thing, table)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("x = [1]")
    assert read_toml(tmp_path / "a.toml", "") == {"x": [1]}
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        read_toml(tmp_path / "b.toml", "a thing is a TOML file")
    with pytest.raises(InputError, match="a thing is a TOML file"):
        read_toml(tmp_path / "c.toml", "a thing is a TOML file")
