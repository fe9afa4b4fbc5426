"""(c) Success against training step: does the world see a policy get better?

The run of (a), no further scoring: five steps of one held-out run.
"""

from __future__ import annotations

from itertools import pairwise

from experiments.a_agreement import SEEDS
from experiments.chart import Chart, Point, Series
from experiments.frame import Finding, Setup, main, on, scope, scored
from worldgym.errors import InputError
from worldgym.reference.scoring import ScoredRun


def measure(setup: Setup) -> Finding:
    """Success of five steps of one training run, in the world and in truth."""
    what = scope(setup, "held-out", SEEDS)
    return finding(scored(setup, what), on(what, setup.instrument))


def finding(run: ScoredRun, measured_on: str) -> Finding:
    rows = sorted(
        (
            {"step": int(policy["policy"].rpartition("@")[2]), **policy}
            for policy in run.summary.to_json()["policies"]
            if "@" in policy["policy"] and policy["trials"] and policy["truth_rate"] is not None
        ),
        key=lambda row: row["step"],
    )
    if len(rows) < 2:
        raise InputError(
            "the run holds no series of training steps (NAME@STEP); train and score the held-out "
            "set first"
        )
    gap = max(abs(row["rate"] - row["truth_rate"]) for row in rows)
    steps = [(a, b) for a, b in pairwise(rows) if a["truth_rate"] != b["truth_rate"]]
    right = sum((b["rate"] - a["rate"]) * (b["truth_rate"] - a["truth_rate"]) > 0 for a, b in steps)
    shown = ", ".join(
        f"{row['step']}: {100 * row['rate']:.0f} / {100 * row['truth_rate']:.0f} %" for row in rows
    )
    changes = (
        f"{right} of {len(steps)} changes in the true direction, largest gap {100 * gap:.0f} points"
    )
    result = f"world / truth by step {shown}; {changes}"
    world = Series(
        "world model", tuple(Point(r["step"], r["rate"], r["low"], r["high"]) for r in rows), True
    )
    truth = Series(
        "truth",
        tuple(Point(r["step"], r["truth_rate"], r["truth_low"], r["truth_high"]) for r in rows),
        True,
    )
    chart = Chart("training step", "success rate", (world, truth))
    kept = [
        {key: row[key] for key in ("step", "trials", "rate", "truth_trials", "truth_rate")}
        for row in rows
    ]
    return Finding(
        "c_training_steps",
        "Does the world see a policy get better with training?",
        result,
        measured_on,
        kept,
        chart,
    )


if __name__ == "__main__":
    main(measure)
