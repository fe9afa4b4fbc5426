"""The sections of the page: each is a function of the same facts, with its own template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.io.attempts import Attempted
from worldgym.io.run_log import LOG_NAME, record_at
from worldgym.io.run_outcomes import TrialOutcome
from worldgym.io.run_records import Results, RunHeader, TrialRecord
from worldgym.stats.summary import Summary


@dataclass(frozen=True)
class ReportOptions:
    """gallery_trials: how many trials are shown with their videos; 0 makes a page without
    videos."""

    gallery_trials: int = 90

    def __post_init__(self) -> None:
        if self.gallery_trials < 0:
            raise InputError(f"gallery_trials must be 0 or more, not {self.gallery_trials}")


@dataclass(frozen=True)
class ReportFacts:
    """Everything a section may tell.   attempts: all of them.   outcome: one per trial."""

    run: Path
    header: RunHeader
    attempts: Sequence[Attempted]
    outcome: Results[Attempted]
    summary: Summary
    options: ReportOptions

    @property
    def policies(self) -> list[str]:
        """Their place is their colour."""
        return self.summary.names

    @property
    def tasks(self) -> list[str]:
        return self.summary.tasks

    @property
    def trials(self) -> int:
        """How many were tried."""
        return len(self.outcome.finished) + len(self.outcome.failed)

    def records(self, chosen: Iterable[Attempted]) -> list[TrialRecord]:
        """All of the records of some attempts, out of the log."""
        return [self._record(attempt) for attempt in chosen]

    def _record(self, attempt: Attempted) -> TrialRecord:
        if isinstance(attempt, TrialRecord):
            return attempt
        assert isinstance(attempt, TrialOutcome)
        return record_at(self.run / LOG_NAME, attempt.start)


@dataclass(frozen=True)
class Section:
    """name: its anchor, and NAME.html its template.   narrow: it may share the width of the page
    with a neighbour."""

    name: str
    title: str
    context: Mapping[str, Any] = field(default_factory=dict)
    narrow: bool = False
