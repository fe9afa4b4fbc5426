"""(i) Context length: worlds trained with windows of different length.

Small worlds (experiments/worlds.py) that are alike but for the window: 4, 8 and 16 frames, with as
many frames per step; or others, by `--worlds`. Development policies, 5 start states per task: 2
minutes per world on two idle cores, and 13 of one core to train it.
"""

from __future__ import annotations

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
from worldgym.io.checkpoint import read_config

SEEDS = 5
WORLDS = ("window-4", "window-8", "all")


def measure(setup: Setup) -> Finding:
    """Agreement by the number of frames that the world sees at most."""
    worlds = other_worlds(setup, WORLDS)
    rows = sweep(setup, worlds, SEEDS)
    for row in rows:
        row["psnr_20"] = replayed(setup, worlds[row["setting"]], setup.recordings)[
            "mean_over_tasks"
        ]["psnr_20"]
        row["window"] = read_config(worlds[row["setting"]].world)["sampler"]["window"]
    rows.sort(key=lambda row: row["window"])
    result = (
        f"r by window {told(rows, 'pearson')}; verdicts equal to the truth "
        f"{told(rows, 'trial_agreement')}; PSNR at frame 20 of "
        f"replays, dB, {told(rows, 'psnr_20', '{:.1f}')}"
    )
    ticks = tuple(f"{row['setting']} ({row['window']})" for row in rows)
    chart = Chart(
        "world (frames seen at most)", "share, or correlation", lines(rows, AGREEMENT), ticks
    )
    what = scope(setup, "development", SEEDS)
    return Finding(
        "i_context",
        "How much past does a world need?",
        result,
        on(what, *worlds.values()),
        rows,
        chart,
    )


if __name__ == "__main__":
    main(measure)
