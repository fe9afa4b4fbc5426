"""What the page is put together from: each section is a function of the same facts, with a template
of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
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
    """Everything a section may tell.   records: every attempt.   outcome: one record a trial."""

    run: Path
    header: RunHeader
    records: Sequence[TrialRecord]
    outcome: Results
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
    def trials(self) -> list[TrialRecord]:
        """One record a trial, those on one initial frame side by side."""
        place = {policy: i for i, policy in enumerate(self.policies)}
        return sorted(
            self.outcome.finished + self.outcome.failed,
            key=lambda r: (r.group, r.task, r.repeat, place[r.policy]),
        )


@dataclass(frozen=True)
class Section:
    """name: its anchor, and NAME.html its template.   narrow: it may share the width of the page
    with a neighbour."""

    name: str
    title: str
    context: Mapping[str, Any] = field(default_factory=dict)
    narrow: bool = False
