"""Flags that checks have put on trials, counted for the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from worldgym.io.run_records import TrialRecord


def flagged(trials: Iterable[TrialRecord]) -> list[dict[str, Any]]:
    """One {flag, trials, of, succeeded, tasks} a flag, by name of the flag: how many of the `of`
    finished trials carry it, how many of these succeed by group of tasks (groups with none left
    out), and which initial frames they start from."""
    finished = [trial for trial in trials if trial.finished]
    found = []
    for flag in sorted({flag for trial in finished for flag in trial.flags}):
        own = [trial for trial in finished if flag in trial.flags]
        groups = sorted({trial.group for trial in own})
        tasks = {
            group: sorted({trial.task for trial in own if trial.group == group}) for group in groups
        }
        succeeded = dict(sorted(Counter(trial.group for trial in own if trial.succeeded).items()))
        found.append(
            {
                "flag": flag,
                "trials": len(own),
                "of": len(finished),
                "succeeded": succeeded,
                "tasks": tasks,
            }
        )
    return found
