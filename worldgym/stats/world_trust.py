"""What `worldgym world trust` said of a world, task by task, as summaries and reports read it:
RUN/trust.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from worldgym.errors import InputError
from worldgym.io.files import read_json, write_atomic
from worldgym.io.migration import found_beside
from worldgym.io.records import from_mapping, located

TRUST_NAME = "trust.json"  # see `found_beside` for the name of earlier versions
UNCHECKED = "unchecked"  # the colour of a task that the trust report does not know


@dataclass(frozen=True)
class Trusted:
    """What the trust report says of one task."""

    colour: str
    """green, amber, red, or unchecked"""
    reason: str
    """one sentence; empty where the task was not checked"""


@dataclass(frozen=True)
class TrustedTasks:
    """What the trust report of the run's world says of the run's tasks."""

    world: str
    """the world that was checked"""
    tasks: Mapping[str, Trusted]
    """by task"""
    left_out: tuple[str, ...]
    """tasks that stay out of every number but those of their own cells, because they are red"""
    include_red: bool
    """whether red tasks stay in all numbers, as was asked for"""


@dataclass(frozen=True)
class _Colour:
    """What the file says of a task, as far as it is read here."""

    colour: Literal["green", "amber", "red"]
    reason: str


@dataclass(frozen=True)
class _Checked:
    """What the file says, as far as it is read here."""

    world: str
    tasks: Mapping[str, Any]


@dataclass(frozen=True)
class WorldTrust:
    """world: the one that was checked.   tasks: by group.   include_red: red tasks stay in the
    headline numbers."""

    world: str
    tasks: Mapping[str, Trusted] = field(default_factory=dict)
    include_red: bool = False

    @staticmethod
    def read(path: Path, include_red: bool = False) -> WorldTrust:
        """InputError if the file is absent or not what `worldgym world trust` writes."""
        data = read_json(path, "a trust report of a world")
        with located(path, "run `worldgym world trust` again"):
            found = from_mapping(_Checked, data, more=True)
            tasks = {
                name: from_mapping(_Colour, task, place=f"tasks.{name}", more=True)
                for name, task in found.tasks.items()
            }
            return WorldTrust(
                found.world,
                {name: Trusted(task.colour, task.reason) for name, task in tasks.items()},
                include_red,
            )

    @staticmethod
    def of_run(run: Path, include_red: bool = False) -> WorldTrust | None:
        """The trust report that lies in a run's folder, or None."""
        path = found_beside(TRUST_NAME, run)
        return None if path is None else WorldTrust.read(path, include_red)

    def match(self, world: str) -> None:
        """InputError if it is the trust report of another world."""
        if self.world != world:
            raise InputError(
                f"the trust report is of the world {self.world}, the run's is {world}; make one of "
                f"that world, or leave it out"
            )

    def colour(self, group: str) -> str:
        return self.tasks[group].colour if group in self.tasks else UNCHECKED

    def left_out(self, groups: Sequence[str]) -> frozenset[str]:
        """Groups that enter no headline number."""
        return frozenset(() if self.include_red else (g for g in groups if self.colour(g) == "red"))

    def of_tasks(self, groups: Sequence[str]) -> TrustedTasks:
        """What it says of these groups, sorted, and which of them are left out."""
        unchecked = Trusted(UNCHECKED, "")
        return TrustedTasks(
            self.world,
            {group: self.tasks.get(group, unchecked) for group in sorted(set(groups))},
            tuple(sorted(self.left_out(groups))),
            self.include_red,
        )


def adopt_trust(run: Path, path: Path, world: str) -> None:
    """Keeps a trust report in a run's folder, for its summaries from now on. InputError if it is of
    another world."""
    WorldTrust.read(path).match(world)
    write_atomic(run / TRUST_NAME, path.read_bytes())
