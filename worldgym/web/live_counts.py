"""The progress of a run, from its log alone: the counts and current rates of every policy on every
task, its speed, and what is left.

The rates and intervals are those of the report (`worldgym.stats.success_rates.score_rate`); what a
calibration or the trust report of the world changes in them stands in the report's figures.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.io.run_log import LOG_NAME
from worldgym.stats.failure_reasons import count_reasons
from worldgym.stats.planned_trials import Planned, planned_trials
from worldgym.stats.success_rates import score_rate
from worldgym.web.log_index import FAILED, UNKNOWN, VERDICTS, LogIndex

QUIET = 120.0  # seconds without a new line after which a run that is not finished counts as stopped
RECENT = 60.0  # seconds over which the pace is measured
NEWEST = 6  # videos that are shown of a run in progress
UNSCORED = VERDICTS.index("unscored")
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LiveCell:
    """One policy on one task. planned: None where the log's header does not tell."""

    policy: str
    task: str
    done: int
    planned: int | None
    scored: int
    failed: int
    unscored: int
    rate: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Pace:
    """trials per minute, lately.   seconds_left: None where it is not known."""

    per_minute: float
    seconds_left: float | None


class LiveCounts:
    """Kept up to date by `refresh`; only cells that changed are computed again."""

    def __init__(self, index: LogIndex) -> None:
        self.index = index
        self._cells = dict[tuple[int, int], LiveCell]()
        self._planned = Planned()
        self._counted = -1
        self.lock = threading.Lock()  # held while it is refreshed or read as a whole

    def refresh(self) -> bool:
        """Reads the log's new lines. => whether anything changed."""
        index = self.index
        before = index.restarts, index.headers
        grown = index.update()
        if (index.restarts, index.headers) != before or self._counted < 0:
            self._cells = {}
            self._counted = 0
            grown = True
        if index.header is not None:
            self._planned = planned_trials(index.header, [])
        if grown:
            self._count(index.changed)
        return grown

    def _count(self, changed: set[tuple[int, int]]) -> None:
        index = self.index
        rows = index.ordinary(index.rows())
        policies = index.column("policy", rows)
        groups = index.column("group", rows)
        pairs = (
            {(int(p), int(g)) for p, g in zip(policies, groups, strict=True)}
            if not (self._cells)
            else changed
        )
        for policy, group in pairs:
            own = rows[(policies == policy) & (groups == group)]
            if len(own):
                self._cells[policy, group] = self._cell(policy, group, own)
        self._counted = index.attempts

    def _cell(self, policy: int, group: int, rows: Rows) -> LiveCell:
        name = self.index.groups.texts[group]
        planned = len(self._planned.groups.get(name, ())) if self._planned.known else None
        return LiveCell(
            self.index.policies.texts[policy],
            name,
            len(rows),
            planned,
            **_counted(self.index, rows),
        )

    @property
    def cells(self) -> list[LiveCell]:
        """Policies in the header's order, tasks by name; those not begun too."""
        known = {(cell.policy, cell.task): cell for cell in self._cells.values()}
        tasks = sorted({*self._planned.groups, *(cell.task for cell in known.values())})
        found = []
        for policy in self.index.policies.texts:
            for task in tasks:
                planned = len(self._planned.groups.get(task, ())) if self._planned.known else None
                empty = LiveCell(policy, task, 0, planned, 0, 0, 0, None, 0.0, 1.0)
                found.append(known.get((policy, task), empty))
        return found

    @property
    def planned(self) -> int | None:
        """Ordinary trials of all policies."""
        if not self._planned.known:
            return None
        return len(self.index.policies.texts) * sum(map(len, self._planned.groups.values()))

    @property
    def done(self) -> int:
        return sum(cell.done for cell in self._cells.values())

    def overall(self, left_out: frozenset[str] = frozenset()) -> dict[str, dict[str, Any]]:
        """Each policy over its tasks, without some of them: what `_counted` says."""
        index = self.index
        rows = index.ordinary(index.rows())
        groups = index.column("group", rows)
        out = [n for n, name in enumerate(index.groups.texts) if name in left_out]
        rows = rows[~np.isin(groups, out)]
        policies = index.column("policy", rows)
        return {
            name: _counted(index, rows[policies == number])
            for number, name in enumerate(index.policies.texts)
        }

    def changed_at(self) -> float:
        """When the log was last written, seconds since 1970; 0 where it is gone."""
        try:
            return (self.index.run / LOG_NAME).stat().st_mtime
        except OSError:
            return 0.0

    def pace(self, now: float | None = None) -> Pace:
        """From the times at which trials ended."""
        times = np.frombuffer(self.index.columns["time"]).copy()
        now = time.time() if now is None else now
        recent = int(np.sum(times > now - RECENT))
        per_minute = recent * 60.0 / RECENT
        left = None if self.planned is None else self.planned - self.done
        seconds = None if left is None or not recent else left * RECENT / recent
        return Pace(per_minute, seconds)

    def state(self, changed: float, now: float | None = None) -> str:
        """See `run_state`."""
        return run_state(self.done, self.planned, changed, now)

    def reasons(self) -> dict[str, list[dict[str, Any]]]:
        """Why trials have no score, the most frequent first."""
        index = self.index
        rows = index.ordinary(index.rows())
        verdicts = index.column("verdict", rows)
        texts = index.reasons.texts
        return {
            kind: [
                asdict(row)
                for row in count_reasons(
                    texts[number] for number in index.column("reason", rows[verdicts == code])
                )
            ]
            for kind, code in (("failed", FAILED), ("unscored", UNSCORED))
        }

    def newest(self) -> list[int]:
        """Rows of the newest trials with a video, the last first."""
        filmed = np.flatnonzero(np.frombuffer(self.index.columns["filmed"], "B"))
        return [int(row) for row in filmed[-NEWEST:][::-1]]

    def to_json(self, changed: float) -> Mapping[str, Any]:
        return {
            "cells": [asdict(cell) for cell in self.cells],
            "done": self.done,
            "planned": self.planned,
            "state": self.state(changed),
            "pace": asdict(self.pace()),
            "reasons": self.reasons(),
            "newest": self.newest(),
        }


def run_state(done: int, planned: int | None, changed: float, now: float | None = None) -> str:
    """finished, running or stopped.   changed: when the log was last written, seconds since
    1970."""
    if planned is not None and done >= planned:
        return "finished"
    now = time.time() if now is None else now
    if now - changed < QUIET:
        return "running"
    return "finished" if planned is None else "stopped"


def _counted(index: LogIndex, rows: Rows) -> dict[str, Any]:
    """Fields of a cell from its rows, one per trial."""
    verdicts = index.column("verdict", rows)
    scores = index.column("score", rows)
    there = scores != UNKNOWN
    frames = [index.tasks.texts[task] for task in index.column("task", rows[there])]
    rate = score_rate(scores[there].tolist(), frames)
    return {
        "scored": rate.trials,
        "failed": int(np.sum(verdicts == FAILED)),
        "unscored": int(np.sum(verdicts == UNSCORED)),
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
    }
