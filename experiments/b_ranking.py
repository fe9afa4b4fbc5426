"""(b) Are versions and sizes of a policy put in the right order?

The run of (a), no further scoring. Families share all but one thing: size, data, training steps,
chunk, architecture."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from experiments.a_agreement import SEEDS
from experiments.chart import Chart, Point, Series
from experiments.frame import Finding, Setup, main, on, scope, scored
from worldgym.errors import InputError
from worldgym.reference.policy_zoo import SERIES
from worldgym.reference.scoring import ScoredRun
from worldgym.report.formats import decimal
from worldgym.stats.correlation import kendall

FAMILIES = {
    "size": ("small", "medium", "full"),
    "data": ("data20", "data80", "full"),
    "training steps": tuple(f"series@{step}" for step in SERIES),
    "chunk": ("chunk1", "full", "chunk8"),
    "architecture": ("full", "diffusion4", "diffusion8"),
    "teacher": ("flawless", "full"),
}


def measure(setup: Setup) -> Finding:
    """Order of held-out policies within families that differ in one thing."""
    what = scope(setup, "held-out", SEEDS)
    return finding(scored(setup, what), on(what, setup.instrument))


def finding(run: ScoredRun, measured_on: str) -> Finding:
    policies = {
        policy["policy"]: policy
        for policy in run.summary.to_json()["policies"]
        if policy["trials"] and policy["truth_rate"] is not None
    }
    rows = [
        row
        for family, names in FAMILIES.items()
        for row in _pairs(family, [policies[n] for n in names if n in policies])
    ]
    if not rows:
        raise InputError(
            "no family has two scored policies; train and score the held-out set first"
        )
    right = sum(row["right"] for row in rows)
    rates = np.array([[policy["rate"], policy["truth_rate"]] for policy in policies.values()])
    tau = float(kendall(rates[:, 0], rates[:, 1], np.ones((1, len(rates))))[0])
    result = (
        f"{right} of {len(rows)} pairs within families are in their true order; Kendall's tau over "
        f"all {len(policies)} policies "
        f"{decimal(None if np.isnan(tau) else tau)}"
    )
    series = tuple(
        Series(
            family,
            tuple(
                Point(policies[n]["truth_rate"], policies[n]["rate"], name=n)
                for n in names
                if n in policies
            ),
            True,
        )
        for family, names in FAMILIES.items()
        if any(n in policies for n in names)
    )
    chart = Chart("truth", "world model", series, diagonal=True)
    return Finding(
        "b_ranking",
        "Are versions and sizes of a policy put in the right order?",
        result,
        measured_on,
        rows,
        chart,
    )


def _pairs(family: str, members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every pair whose true rates differ."""
    return [
        {
            "family": family,
            "a": a["policy"],
            "b": b["policy"],
            "world": a["rate"] - b["rate"],
            "truth": a["truth_rate"] - b["truth_rate"],
            "right": (a["rate"] - b["rate"]) * (a["truth_rate"] - b["truth_rate"]) > 0,
        }
        for a, b in combinations(members, 2)
        if a["truth_rate"] != b["truth_rate"]
    ]


if __name__ == "__main__":
    main(measure)
