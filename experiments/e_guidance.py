"""(e) Guidance strength against action following and agreement.

Development policies, 5 start states per task, and replays of development recordings. Two idle
cores: a minute of truth; for each strength 2 minutes in the world and of replays, twice that with
guidance on: 11 minutes in all."""

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
STRENGTHS = (1.0, 1.5, 3.0)


def measure(setup: Setup) -> Finding:
    """Agreement, and how far the world follows actions, by guidance strength (1 = off)."""
    instruments = {f"{cfg:g}": with_sampler(setup, cfg=cfg) for cfg in STRENGTHS}
    rows = sweep(setup, instruments, SEEDS)
    for row in rows:
        means = replayed(setup, instruments[row["setting"]], setup.recordings)["mean_over_tasks"]
        row |= {key: means[key] for key in ("psnr_20", "judged_agreement", "shuffled_success_rate")}
    result = (
        f"r by strength {told(rows, 'pearson')}; PSNR at frame 20 of replays, dB, "
        f"{told(rows, 'psnr_20', '{:.1f}')}; success "
        f"with another episode's actions {told(rows, 'shuffled_success_rate')}"
    )
    ticks = tuple(row["setting"] for row in rows)
    series = lines(rows, {**AGREEMENT, "shuffled_success_rate": "success, shuffled actions"})
    chart = Chart("guidance strength", "share, or correlation", series, ticks)
    what = scope(setup, "development", SEEDS)
    return Finding(
        "e_guidance", "Does guidance help?", result, on(what, setup.instrument), rows, chart
    )


if __name__ == "__main__":
    main(measure)
