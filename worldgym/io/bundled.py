"""The bundled world and what belongs to it, under the name "bundled": simulated scenes of
Meta-World at 96 x 96 pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from worldgym.errors import CheckpointError

NAME = "bundled"
BUNDLE = Path(__file__).parents[1] / "reference" / "bundle"


def bundled(place: str | Path, part: str) -> Path:
    """The place itself; where it is "bundled" and nothing lies there, that part of the bundle:
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


def each_policy(policies: Iterable[str]) -> tuple[str, ...]:
    """The policies, with "bundled" replaced by all of the bundle."""
    found = [
        [policy] if policy != NAME or Path(policy).exists() else bundled_policies()
        for policy in policies
    ]
    return tuple(name for names in found for name in names)
