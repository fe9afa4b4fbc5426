"""The bundled world and what belongs to it, under the name "bundled": simulated scenes of
Meta-World at 96 x 96 pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from worldgym.errors import CheckpointError

T = TypeVar("T")
NAME = "bundled"
BUNDLE = Path(__file__).parents[1] / "reference" / "bundle"


def bundled(place: str | Path, part: str) -> Path:
    """The place itself; if it is "bundled" and no such file exists, that part of the bundle:
    "world", "judge" or "tasks"."""
    path = Path(place)
    if str(place) != NAME or path.exists():
        return path
    if not (BUNDLE / part).is_dir():
        raise CheckpointError(
            f"{BUNDLE}: the bundled {part} is missing from this installation; install from the "
            f"full repository"
        )
    return BUNDLE / part


def bundled_policies() -> list[str]:
    """Names of the policies of the bundle, which `load_policy` takes as they are."""
    return sorted(folder.name for folder in (BUNDLE / "policies").glob("*/"))


def each_policy(policies: Iterable[T | str]) -> tuple[T | str, ...]:
    """The policies, with "bundled" replaced by all of the bundle."""
    found: list[Sequence[T | str]] = [
        bundled_policies() if policy == NAME and not Path(NAME).exists() else [policy]
        for policy in policies
    ]
    return tuple(name for names in found for name in names)
