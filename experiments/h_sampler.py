"""(h) Number of sampler steps: few against the many of the teacher.

Development policies, 5 start states per task, and replays of development recordings. Two idle
cores: a minute of truth; 4 to 15 minutes in the world and of replays, by the number of steps: 22 in
all.
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
    replayed,
    scope,
    sweep,
    told,
    with_sampler,
)

SEEDS = 5
STEPS = (1, 2, 4, 10)


def measure(setup: Setup) -> Finding:
    """Agreement, pixels and time by the number of network calls per frame."""
    instruments = {str(steps): with_sampler(setup, steps=steps) for steps in STEPS}
    rows = sweep(setup, instruments, SEEDS)
    for row in rows:
        means = replayed(setup, instruments[row["setting"]], setup.recordings)["mean_over_tasks"]
        row |= {key: means[key] for key in ("psnr_20", "judged_agreement")}
    result = (
        f"r by steps {told(rows, 'pearson')}; PSNR at frame 20 of replays, dB, "
        f"{told(rows, 'psnr_20', '{:.1f}')}; seconds "
        f"a trial {told(rows, 'seconds')}"
    )
    ticks = tuple(row["setting"] for row in rows)
    chart = Chart("sampler steps", "share, or correlation", lines(rows, AGREEMENT), ticks)
    what = scope(setup, "development", SEEDS)
    return Finding(
        "h_sampler",
        "How many sampler steps are needed?",
        result,
        on(what, setup.instrument),
        rows,
        chart,
    )


if __name__ == "__main__":
    main(measure)
