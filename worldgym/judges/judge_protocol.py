"""The judge protocol: a judge reads a record of what happened, never the live world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from worldgym.errors import InputError
from worldgym.types import Rollout, Task, Verdict


class Judge(Protocol):
    @property
    def name(self) -> str:
        """Identity for the log: kind and version of the weights or model."""
        ...

    @property
    def concurrency(self) -> int:
        """Calls that may run at once, from several threads: 1 for a judge that computes here, more
        for one that waits."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its verdicts depend on, as JSON values for the log's header; no key, nothing that
        may change in a resumed run."""
        ...

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        """Scores the rollout's frames against the task's instruction; unscored with a reason where
        it cannot decide."""
        ...


@runtime_checkable
class Checking(Protocol):
    """An optional part of a judge: a check before the first frame."""

    def check(self, tasks: Sequence[Task]) -> None:
        """Before the first frame of a rollout is made: InputError for what is known to make its
        verdicts impossible."""
        ...


@runtime_checkable
class Viewing(Protocol):
    """An optional part of a judge: the cameras that it uses."""

    @property
    def name(self) -> str: ...

    @property
    def views(self) -> tuple[str, ...]:
        """Their names; () = the main one."""
        ...


def check_judged_views(judge: object, views: Sequence[str]) -> None:
    """InputError where a judge looks at a view that is not among these."""
    if not isinstance(judge, Viewing):
        return
    if missing := [view for view in judge.views if view not in views]:
        raise InputError(
            f"judge {judge.name} needs the view {missing[0]}, but there is only "
            f"{', '.join(views)}; give a judge of these views or a world that draws that one"
        )


@runtime_checkable
class Free(Protocol):
    """An optional part of a judge: verdicts that cost no money and little time, so that extra ones
    may be requested."""

    @property
    def free(self) -> bool: ...


@runtime_checkable
class Scaled(Protocol):
    """An optional part of a judge: the size of its frames."""

    def size_for(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of a recorded video => those at which it is to be read."""
        ...


@runtime_checkable
class Paying(Protocol):
    """An optional part of a judge: a budget."""

    def charge(self, folder: Path, paid_usd: float) -> None:
        """From now on it pays for the run of this folder, for which `paid_usd` was paid before, as
        the run's log says."""
        ...
