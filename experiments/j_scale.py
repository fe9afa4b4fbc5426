"""(j) How agreement grows with the size of the world model and with its data.

Give worlds of different width or data as `--worlds small=DIR half-data=DIR full=DIR`, otherwise trained alike (`worldgym train`
with the recipes of worldgym/recipes.py; stores of the first 100, 200, 400 seeds). 20 start states a task: 9 minutes a world.
"""

from __future__ import annotations

from pathlib import Path

from experiments.chart import Chart
from experiments.frame import AGREEMENT, Finding, Setup, lines, main, on, other_worlds, scope, sweep, told
from worldgym.checkpoint import load_folder
from worldgym.world.model import KIND

SEEDS = 20


def measure(setup: Setup) -> Finding:
    """Agreement of worlds of different size and data."""
    worlds = other_worlds(setup)
    rows = sweep(setup, worlds, SEEDS)
    for row in rows:
        row["parameters"] = parameters(worlds[row["setting"]].world)
    sizes = ", ".join(f"{row['setting']}: {row['parameters'] / 1e6:.1f} M" for row in rows)
    result = f"r {told(rows, 'pearson')}; within policies {told(rows, 'policy_centred_pearson')}; parameters {sizes}"
    ticks = tuple(row["setting"] for row in rows)
    chart = Chart("world", "share, or correlation", lines(rows, AGREEMENT), ticks)
    what = scope(setup, "development", SEEDS)
    return Finding("j_scale", "What do size and data of the world model bring?", result, on(what, setup.instrument), rows, chart)


def parameters(world: Path) -> int:
    return sum(tensor.numel() for tensor in load_folder(world, KIND)[1].values())


if __name__ == "__main__":
    main(measure)
