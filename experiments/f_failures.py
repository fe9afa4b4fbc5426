"""(f) What failures in the training data do to a world's optimism.

Small worlds of as many episodes each (experiments/worlds.py): of experts alone, of the varied mix
(a third fails), and of that mix, near misses and closed-loop episodes in equal parts; or others, by
`--worlds`. Development policies, 5 start states per task: 2 minutes per world on two idle cores,
and 13 of one core to train it.
"""

from __future__ import annotations

from experiments.chart import Chart
from experiments.frame import Finding, Setup, lines, main, on, other_worlds, scope, sweep, told

SEEDS = 5
WORLDS = ("experts", "varied", "with-closed-loops")


def measure(setup: Setup) -> Finding:
    """Optimism of worlds that were shown failures or not."""
    worlds = other_worlds(setup, WORLDS)
    rows = sweep(setup, worlds, SEEDS)
    result = (
        f"world minus truth, points: {told(rows, 'optimism', '{:+.1f}')}; true failures judged a "
        f"success: "
        f"{told(rows, 'false_successes')}; r {told(rows, 'pearson')}"
    )
    ticks = tuple(row["setting"] for row in rows)
    series = lines(rows, {"false_successes": "false successes", "pearson": "Pearson r"})
    chart = Chart("training data of the world", "share, or correlation", series, ticks)
    what = scope(setup, "development", SEEDS)
    question = "Do failures in the data make a world less optimistic?"
    return Finding("f_failures", question, result, on(what, *worlds.values()), rows, chart)


if __name__ == "__main__":
    main(measure)
