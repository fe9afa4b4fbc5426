"""(l) Time and cost of a whole evaluation, by its parts. The run of (a), no further scoring."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean

from experiments.a_agreement import SEEDS
from experiments.chart import Chart, Point, Series
from experiments.frame import Finding, Setup, main, on, scope, scored
from worldgym.reference.scoring import ScoredRun


def measure(setup: Setup) -> Finding:
    """Seconds per trial by part, and what the evaluation cost."""
    what = scope(setup, "held-out", SEEDS)
    return finding(scored(setup, what), on(what, setup.instrument))


def finding(run: ScoredRun, measured_on: str) -> Finding:
    trials = run.trials()
    parts: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        for name, seconds in trial.timing.items():
            parts[name].append(seconds)
    shares = {name: sum(values) / len(trials) for name, values in parts.items()}
    shares["rollout in all"] = mean(trial.seconds for trial in trials)
    whole = sum(trial.seconds + trial.timing.get("judge", 0.0) for trial in trials)
    shown = ", ".join(f"{name} {seconds:.2f}" for name, seconds in shares.items())
    result = (
        f"{len(trials)} trials in {whole / 60:.0f} minutes of computing; "
        f"seconds per trial: {shown}; "
        f"{run.summary.expenses.cost_usd:.2f} USD for the judge"
    )
    points = tuple(Point(i, seconds, name=name) for i, (name, seconds) in enumerate(shares.items()))
    chart = Chart(
        "part", "seconds per trial", (Series("seconds per trial", points),), tuple(shares)
    )
    rows = [{"part": name, "seconds": seconds} for name, seconds in shares.items()]
    return Finding("l_cost", "What does a whole evaluation take?", result, measured_on, rows, chart)


if __name__ == "__main__":
    main(measure)
