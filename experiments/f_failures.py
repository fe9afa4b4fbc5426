"""(f) What failures in the training data do to a world's optimism.

Give worlds trained alike but for their data: `--worlds experts=DIR varied=DIR near-misses=DIR dreams=DIR`, e.g. from stores that
hold only the behaviour "expert", the varied mix, that and near misses, that and dreamt episodes; same codec, recipe, steps, seed.
Development policies, 20 start states a task: 9 minutes a world on two idle cores, beside the training.
"""

from __future__ import annotations

from experiments.chart import Chart
from experiments.frame import Finding, Setup, lines, main, on, other_worlds, scope, sweep, told

SEEDS = 20


def measure(setup: Setup) -> Finding:
    """Optimism of worlds that were shown failures or not."""
    rows = sweep(setup, other_worlds(setup), SEEDS)
    result = (
        f"world less truth, points: {told(rows, 'optimism', '{:+.1f}')}; true failures judged a success: "
        f"{told(rows, 'false_successes')}; r {told(rows, 'pearson')}"
    )
    ticks = tuple(row["setting"] for row in rows)
    series = lines(rows, {"false_successes": "true failures judged a success", "pearson": "Pearson r"})
    chart = Chart("training data of the world", "share, or correlation", series, ticks)
    what = scope(setup, "development", SEEDS)
    return Finding(
        "f_failures", "Do failures in the data make a world less optimistic?", result, on(what, setup.instrument), rows, chart
    )


if __name__ == "__main__":
    main(measure)
