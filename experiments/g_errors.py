"""(g) Whose error is it, the judge's or the world's? Replay decomposition.

Recorded held-out episodes: the judge on the true video; on the world's video of the same actions
(what is added is the world's open loop); and the run of (a), where policies react to what the world
draws (what is added is the closed loop's). Two idle cores: 8 minutes for 270 episodes, beside the
run of (a).
"""

from __future__ import annotations

from statistics import mean
from typing import Any

from experiments.a_agreement import SEEDS
from experiments.chart import Chart
from experiments.frame import Finding, Setup, lines, main, on, replayed, scope, scored
from worldgym.reference.scoring import ScoredRun

STAGES = {
    "judge": "judge alone",
    "replay": "with the world, open loop",
    "closed": "with the world, closed loop",
}


def measure(setup: Setup) -> Finding:
    """Errors of the judge alone, with the world in open loop, and in closed loop, by task."""
    what = scope(setup, "held-out", SEEDS)
    replay = replayed(setup, setup.instrument, setup.held_out)
    return finding(
        replay, scored(setup, what), f"{on(what, setup.instrument)}; replays of {setup.held_out}"
    )


def finding(replay: dict[str, Any], run: ScoredRun, measured_on: str) -> Finding:
    rows = []
    for task, figures in replay["tasks"].items():
        right = [
            trial.right for trial in run.trials() if trial.group == task and trial.right is not None
        ]
        rows.append(
            {
                "task": task,
                "judge": 1 - figures["recorded_agreement"],
                "replay": 1 - figures["judged_agreement"],
                "closed": 1 - mean(map(float, right)) if right else None,
            }
        )
    shown = []
    for key, name in STAGES.items():
        known = [row[key] for row in rows if row[key] is not None]
        shown.append(f"{name} {100 * mean(known):.1f} %" if known else f"{name} –")
    chart = Chart(
        "task",
        "wrong verdicts",
        lines(rows, STAGES, joined=False, named="task"),
        tuple(row["task"] for row in rows),
    )
    return Finding(
        "g_errors",
        "Whose errors are they?",
        "wrong verdicts: " + ", ".join(shown),
        measured_on,
        rows,
        chart,
    )


if __name__ == "__main__":
    main(measure)
