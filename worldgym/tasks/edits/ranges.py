"""Edits with a strength: a number of a step may be a range, and strength 0 to 1 goes from its mild
end to its harsh one.

steps = [{ kind = "lighting", gain = { mild = 1.0, harsh = 0.1 } }]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.io.records import field_types, from_mapping
from worldgym.tasks.edits.edit_file import (
    IMAGE_STEPS,
    TEXT_STEPS,
    Described,
    Edit,
    Suite,
    read_suite,
)


@dataclass(frozen=True)
class Range:
    """Of a number of a step."""

    mild: float
    harsh: float

    def at(self, strength: float, whole: bool = False) -> float:
        """whole: of a number that is one, such as a count; not of one whose ends only are written
        so, as a gain from 1 to 0."""
        exact = self.mild + (self.harsh - self.mild) * strength
        if not math.isfinite(exact):
            raise InputError(f"the range from {self.mild:g} to {self.harsh:g} is too wide")
        ends = isinstance(self.mild, int) and isinstance(self.harsh, int)
        return round(exact) if whole and ends else exact


@dataclass(frozen=True)
class RangedEdit:
    """An edit as described, with ranges in it."""

    described: Described
    suite: Suite

    @property
    def name(self) -> str:
        return self.described.name

    def at(self, strength: float, name: str) -> Edit:
        """The edit at a strength in [0, 1], under its own name, which is its axis too."""
        steps = tuple(
            {key: _between(value, strength, _is_whole(step, key)) for key, value in step.items()}
            for step in self.described.steps
        )
        return self.suite.edit(replace(self.described, name=name, axis=name, steps=steps))

    def try_ends(self) -> None:
        """InputError where the edit cannot be done at its mildest or at its harshest."""
        for strength in (0.0, 1.0):
            self.at(strength, self.name)


def ranged_edits(suite: Suite) -> list[RangedEdit]:
    """All of a file, with ranges or without."""
    return [RangedEdit(described, suite) for described in suite.described]


def read_ranges(path: Path) -> list[RangedEdit]:
    """The edits of a file, both ends of each tried out. InputError for an edit without a range."""
    suite = read_suite(path)
    if suite.client is not None:
        suite.client.check()
    edits = ranged_edits(suite)
    for edit in edits:
        if not any(_ranges(value) for step in edit.described.steps for value in step.values()):
            raise InputError(
                f"{path}: edit {edit.name} has no range; write a number as {{ mild = 1.0, harsh = "
                f"0.2 }}"
            )
        if edit.described.success:
            raise InputError(
                f"{path}: edit {edit.name} has a new goal, so its drop says nothing about "
                f"difficulty; remove success"
            )
        edit.try_ends()
    return edits


def _ranges(value: Any) -> bool:
    if isinstance(value, list):
        return any(_ranges(item) for item in value)
    return isinstance(value, dict) and value.keys() == {"mild", "harsh"}


def _is_whole(step: Mapping[str, Any], key: str) -> bool:
    kind = {**IMAGE_STEPS, **TEXT_STEPS}.get(str(step.get("kind")))
    return kind is not None and field_types(kind).get(key) is int


def _between(value: Any, strength: float, whole: bool) -> Any:
    if isinstance(value, list):
        return [_between(item, strength, whole) for item in value]
    return from_mapping(Range, value).at(strength, whole) if _ranges(value) else value
