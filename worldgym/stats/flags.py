"""Flags that checks have put on trials, counted for the summary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from worldgym.log import TrialRecord


def flagged(trials: Iterable[TrialRecord]) -> list[dict[str, Any]]:
    """One {flag, trials, of, tasks} a flag, by name of the flag: how many of the `of` finished trials carry it, and the names
    of the initial frames that these start from, by group of tasks."""
    finished = [trial for trial in trials if trial.finished]
    found = []
    for flag in sorted({flag for trial in finished for flag in trial.flags}):
        own = [trial for trial in finished if flag in trial.flags]
        groups = sorted({trial.group for trial in own})
        tasks = {group: sorted({trial.task for trial in own if trial.group == group}) for group in groups}
        found.append({"flag": flag, "trials": len(own), "of": len(finished), "tasks": tasks})
    return found
