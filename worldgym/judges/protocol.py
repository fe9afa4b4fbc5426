"""The judge seam: reads a record of what happened, never the live world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from worldgym.types import Rollout, Task, Verdict


class Judge(Protocol):
    @property
    def name(self) -> str:
        """Identity for the log: kind and version of the weights or model."""
        ...

    @property
    def concurrency(self) -> int:
        """Calls that may run at once, from several threads: 1 for a judge that computes here, more for one that waits."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its verdicts depend on, as JSON values for the log's header; no key, nothing that may change in a resumed run."""
        ...

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        """Scores the rollout's frames against the task's instruction; unscored with a reason where it cannot decide."""
        ...
