"""Small logs for the tests of statistics and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from worldgym.io.run_records import PLANNED_KEY, RunHeader, TrialRecord

Scores = Mapping[
    str, Mapping[str, Sequence[float | None]]
]  # policy => task group => score of each initial frame


def record(policy: str, task: str, score: float | None = None, **fields: Any) -> TrialRecord:
    """A trial of "GROUP/NAME". Without a score, and without a reason to have failed, it is
    unscored."""
    reason = "" if score is not None or "failure_reason" in fields else "unclear"
    known = {
        "group": task.split("/")[0],
        "instruction": "do it",
        "repeat": 0,
        "seed": 1,
        "score": score,
        "reason": reason,
    }
    return TrialRecord(policy, task, **{**known, **fields})


def run(scores: Scores) -> list[TrialRecord]:
    """One trial a score, task by task as a run logs them."""
    return [
        record(policy, f"{group}/{i}", score)
        for policy, groups in scores.items()
        for group, row in groups.items()
        for i, score in enumerate(row)
    ]


def header(
    policies: Sequence[str], planned: Mapping[str, Any] | None = None, **config: Any
) -> RunHeader:
    """planned: initial frames a task group, one trial each, or a whole plan; None as in a log that
    does not tell."""
    if planned is not None and "edited" in planned:
        config = {**config, PLANNED_KEY: planned}
    elif planned is not None:
        tasks = {
            group: {f"{group}/{i}": 1 for i in range(count)} for group, count in planned.items()
        }
        config = {**config, PLANNED_KEY: {"tasks": tasks, "edited": {}}}
    return RunHeader(
        config, "worldgym evaluate", tuple({"name": name} for name in policies), "w", "j", 0, {}, ""
    )


SIMPSON = {  # A is better in both tasks, and was tried more on the hard one
    "A": {
        "easy": [float(i < 19) for i in range(20)],
        "hard": [float(i % 5 < 2) for i in range(100)],
    },
    "B": {
        "easy": [float(i % 20 < 17) for i in range(100)],
        "hard": [float(i % 10 < 1) for i in range(20)],
    },
}
