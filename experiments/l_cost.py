"""(l) Time and cost of a whole evaluation, by its parts. The run of (a), no further scoring."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean
from typing import Any

from experiments.a_agreement import SEEDS
from experiments.chart import Chart, Point, Series
from experiments.frame import Finding, Setup, main, on, scope, scored
from worldgym.reference.scoring import Run


def measure(setup: Setup) -> Finding:
    """Seconds a trial by part, and what the evaluation cost."""
    what = scope(setup, "held-out", SEEDS)
    return finding(scored(setup, what), on(what, setup.instrument))


def finding(run: Run, measured_on: str) -> Finding:
    trials = run.trials()
    parts: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        for name, seconds in trial.timing.items():
            parts[name].append(seconds)
    rows: list[dict[str, Any]] = [{"part": name, "seconds": sum(values) / len(trials)} for name, values in parts.items()]
    rows.append({"part": "rollout in all", "seconds": mean(trial.seconds for trial in trials)})
    whole = sum(trial.seconds + trial.timing.get("judge", 0.0) for trial in trials)
    shown = ", ".join(f"{row['part']} {row['seconds']:.2f}" for row in rows)
    result = (
        f"{len(trials)} trials in {whole / 60:.0f} minutes of computing; seconds a trial: {shown}; "
        f"{run.summary['expenses']['cost_usd']:.2f} USD for the judge"
    )
    ticks = tuple(str(row["part"]) for row in rows)
    points = tuple(Point(i, float(row["seconds"]), name=str(row["part"])) for i, row in enumerate(rows))
    chart = Chart("part", "seconds a trial", (Series("seconds a trial", points),), ticks)
    return Finding("l_cost", "What does a whole evaluation take?", result, measured_on, rows, chart)


if __name__ == "__main__":
    main(measure)
