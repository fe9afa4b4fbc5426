from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from worldgym.io.record_fields import KINDS, checked, field_kind, first_difference, required, schema
from worldgym.io.run_log import RunHeader, TrialRecord
from worldgym.types import Vote


@dataclass(frozen=True)
class Note:
    text: str
    size: float | None = None
    sure: bool | None = None


def test_every_field_of_the_log_has_a_kind() -> None:
    for record in (RunHeader, TrialRecord, Vote):
        for f in fields(record):
            field_kind(str(f.type))
    used = {
        str(f.type).removesuffix(" | None")
        for record in (RunHeader, TrialRecord, Vote)
        for f in fields(record)
    }
    assert used == set(KINDS)


def test_a_mapping_that_fits_is_returned() -> None:
    values = {"text": "a", "size": 1, "sure": None}
    assert checked(Note, values) is values
    assert required(Note) == ["text"]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, '"text" is missing'),
        ({"text": "a", "colour": 1}, '"colour" is unknown'),
        ({"text": 1}, '"text" holds 1, which is not str'),
        ({"text": "a", "size": True}, "which is not float"),
        ({"text": None}, "which is not str"),
        ({"text": "a", "sure": 1}, "which is not bool"),
        (["text"], "is not a Note"),
    ],
)
def test_one_that_does_not_is_told_what_is_wrong(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        checked(Note, values)


def test_the_schema_says_the_same() -> None:
    found = schema(Note, type={"const": "note"})
    assert found["required"] == ["type", "text"] and found["additionalProperties"] is False
    assert found["properties"]["size"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}


def test_the_first_difference_is_named_by_its_place() -> None:
    found, wanted = {"a": 1, "b": {"c": [1, 2]}, "d": 4}, {"a": 1, "b": {"c": [1, 3]}}
    assert first_difference(found, wanted) == "b.c[1] is 2 there and 3 now"
    assert first_difference(found, found) is None
