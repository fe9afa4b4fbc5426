"""(d) Horizon: time and agreement when a policy executes 1, 2, 4 or 8 actions before it observes
again.

Development policies that draw chunks of eight, as they are and shortened; the world draws as many
frames at once. 20 start states per task. Two idle cores, one such policy: 6 minutes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from experiments.chart import Chart, Point, Series
from experiments.frame import Finding, Setup, main, on, scope, scored
from worldgym.errors import InputError
from worldgym.io.checkpoint import read_config, reconfigure
from worldgym.reference.scoring import ScoredRun

SEEDS = 20
HORIZONS = (1, 2, 4, 8)
MARK = "-looks-every-"


def measure(setup: Setup) -> Finding:
    """Time and agreement by the number of actions executed per observation."""
    whole = scope(setup, "development", SEEDS)
    sources = [
        Path(folder)
        for folder in whole.policies
        if read_config(Path(folder))["net"]["chunk"] >= max(HORIZONS)
    ]
    if not sources:
        raise InputError(
            f"none of the development policies in {setup.zoo} draws chunks of {max(HORIZONS)}; "
            f"train bc-chunk8"
        )
    shortened = tuple(
        str(_shortened(folder, setup.out / "policies", h)) for folder in sources for h in HORIZONS
    )
    what = replace(whole, name="development-horizon", policies=shortened)
    return finding(scored(setup, what), on(what, setup.instrument))


def _shortened(folder: Path, out: Path, h: int) -> Path:
    name = f"{read_config(folder)['name']}{MARK}{h}"
    reconfigure(folder, out / name, {"name": name, "net": {"execute": h}})
    return out / name


def finding(run: ScoredRun, measured_on: str) -> Finding:
    rows = list[dict[str, Any]]()
    for policy in run.summary.policies:
        name, _, h = policy.policy.partition(MARK)
        trials = [trial for trial in run.trials() if trial.policy == policy.policy]
        right = [trial.right for trial in trials if trial.right is not None]
        if h and right:
            seconds = mean(trial.seconds for trial in trials)
            known = {
                "world": policy.rate,
                "truth": policy.truth_rate,
                "right": mean(map(float, right)),
            }
            rows.append({"policy": name, "horizon": int(h), "seconds": seconds, **known})
    names = dict.fromkeys(row["policy"] for row in rows)
    told = []
    for horizon in HORIZONS:
        own = [row for row in rows if row["horizon"] == horizon]
        seconds = mean(row["seconds"] for row in own)
        right_share = mean(row["right"] for row in own)
        told.append(
            f"{horizon}: {seconds:.2f} s per trial, {100 * right_share:.0f} % of verdicts right"
        )
    series = tuple(
        Series(
            name, tuple(Point(r["horizon"], r["right"]) for r in rows if r["policy"] == name), True
        )
        for name in names
    )
    chart = Chart("actions executed per observation", "verdicts equal to the truth", series)
    question = "What does a longer horizon cost or save?"
    return Finding("d_horizon", question, "; ".join(told), measured_on, rows, chart)


if __name__ == "__main__":
    main(measure)
