"""Checkpoints of one training: policies named NAME@STEP, such as grasp@2000 or grasp@20k."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

NAMED = re.compile(r"(?P<name>.+)@(?P<number>\d{1,12})(?P<unit>[kM]?)")
UNITS = {"": 1, "k": 1_000, "M": 1_000_000}


def training_step(policy: str) -> tuple[str, int] | None:
    """ "grasp@20k" => ("grasp", 20000); None for a name without a step."""
    found = NAMED.fullmatch(policy)
    return None if found is None else (found["name"], int(found["number"]) * UNITS[found["unit"]])


def training(policy: str) -> str:
    """Name of the training that a policy comes from, which is its own where it names no step.

    "grasp@20k" and "grasp" => "grasp". Policies of one training are no independent samples.
    """
    named = training_step(policy)
    return policy if named is None else named[0]


@dataclass(frozen=True)
class CheckpointSeries:
    """Checkpoints of one training, by rising training step."""

    name: str
    """of the training"""
    steps: tuple[int, ...]
    """training steps"""
    policies: tuple[str, ...]
    """names of the checkpoints' policies, one per step"""


def checkpoint_series(policies: Iterable[str]) -> tuple[CheckpointSeries, ...]:
    """One for each training with two steps or more, in the order of first appearance."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for policy in policies:
        if (named := training_step(policy)) is not None:
            found[named[0]].append((named[1], policy))
    rising = {
        name: sorted(points)
        for name, points in found.items()
        if len({step for step, _ in points}) > 1
    }
    return tuple(
        CheckpointSeries(
            name, tuple(step for step, _ in points), tuple(policy for _, policy in points)
        )
        for name, points in rising.items()
    )
