"""(i) Context length: worlds trained with windows of different length.

Give them as `--worlds 8=DIR 16=DIR 24=DIR`, trained alike but for the window (`DiTConfig.window` and the clips' length): 12 to 40
minutes of training each for 300 steps from shared weights, hours from nothing. 20 start states a task: 9 minutes a world.
"""

from __future__ import annotations

from experiments.chart import Chart
from experiments.frame import AGREEMENT, Finding, Setup, lines, main, on, other_worlds, scope, sweep, told
from worldgym.checkpoint import read_config

SEEDS = 20


def measure(setup: Setup) -> Finding:
    """Agreement by the number of frames that the world sees at most."""
    worlds = other_worlds(setup)
    rows = sweep(setup, worlds, SEEDS)
    for row in rows:
        row["window"] = read_config(worlds[row["setting"]].world)["sampler"]["window"]
    rows.sort(key=lambda row: row["window"])
    result = f"r by window {told(rows, 'pearson')}; verdicts equal to the truth {told(rows, 'trial_agreement')}"
    ticks = tuple(f"{row['setting']} ({row['window']})" for row in rows)
    chart = Chart("world (frames seen at most)", "share, or correlation", lines(rows, AGREEMENT), ticks)
    what = scope(setup, "development", SEEDS)
    return Finding("i_context", "How much past does a world need?", result, on(what, setup.instrument), rows, chart)


if __name__ == "__main__":
    main(measure)
