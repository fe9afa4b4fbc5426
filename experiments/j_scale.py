"""(j) How agreement grows with the size of the world model and with its data.

Small worlds (experiments/worlds.py) of 8 episodes per task, 60 and all, and of three widths; or
others, by `--worlds`. Beside them the bundled world: three times the size of the largest, 27 times
its clips. Development policies, 5 start states per task: 2 minutes per world on two idle cores, and
13 of one core to train it.
"""

from __future__ import annotations

from pathlib import Path

from experiments.chart import Chart
from experiments.frame import (
    AGREEMENT,
    Finding,
    Setup,
    lines,
    main,
    on,
    other_worlds,
    replayed,
    scope,
    sweep,
    told,
)
from worldgym.io.checkpoint import load_folder
from worldgym.world.world_config import KIND

SEEDS = 5
WORLDS = ("few", "with-closed-loops", "all", "width-96", "width-64")


def measure(setup: Setup) -> Finding:
    """Agreement of worlds of different size and data."""
    worlds = other_worlds(setup, WORLDS) | {"bundled": setup.instrument}
    rows = sweep(setup, worlds, SEEDS)
    for row in rows:
        row["psnr_20"] = replayed(setup, worlds[row["setting"]], setup.recordings)[
            "mean_over_tasks"
        ]["psnr_20"]
        row["parameters"] = parameters(worlds[row["setting"]].world)
    sizes = ", ".join(f"{row['setting']}: {row['parameters'] / 1e6:.1f} M" for row in rows)
    result = (
        f"r {told(rows, 'pearson')}; within policies {told(rows, 'policy_centred_pearson')}; PSNR "
        f"at frame 20 of replays, dB, "
        f"{told(rows, 'psnr_20', '{:.1f}')}; parameters {sizes}"
    )
    ticks = tuple(row["setting"] for row in rows)
    chart = Chart("world", "share, or correlation", lines(rows, AGREEMENT, joined=False), ticks)
    what = scope(setup, "development", SEEDS)
    return Finding(
        "j_scale",
        "What do size and data of the world model bring?",
        result,
        on(what, *worlds.values()),
        rows,
        chart,
    )


def parameters(world: Path) -> int:
    return sum(tensor.numel() for tensor in load_folder(world, KIND)[1].values())


if __name__ == "__main__":
    main(measure)
