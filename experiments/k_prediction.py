"""(k) Real trials saved: with few simulator trials and many imagined ones, how many real ones is the interval worth?

The run of (a), no rollouts; two minutes. For every policy some start states are taken as "tried for real", at random, many times;
the others were only imagined. Saved = 1 - n / (real trials that would give the same width). Covered = the interval holds
the policy's true rate over all start states.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import mean, median
from typing import Any

import numpy as np

from experiments.a_agreement import SEEDS
from experiments.chart import Chart, Point, Series
from experiments.frame import Finding, Setup, main, on, scope, scored
from worldgym.log import TrialRecord
from worldgym.reference.scoring import Run
from worldgym.stats.studies import estimate
from worldgym.stats.tables import RealTrial

REAL = (20, 40, 80)  # trials a policy
DRAWS = 20


def measure(setup: Setup) -> Finding:
    """Real trials saved by prediction-powered inference at equal width of the interval."""
    what = scope(setup, "held-out", SEEDS)
    return finding(scored(setup, what), on(what, setup.instrument))


def finding(run: Run, measured_on: str, draws: int = DRAWS) -> Finding:
    known = [trial for trial in run.trials() if trial.truth is not None and trial.score is not None]
    own: dict[str, list[TrialRecord]] = defaultdict(list)
    for trial in known:
        own[trial.policy].append(trial)
    rows = [row for n in REAL for row in _rows(known, own, n, draws)]
    told = []
    for n in REAL:
        some = [row for row in rows if row["n"] == n]
        if some:
            middle, covered = median(row["saved"] for row in some), mean(row["covered"] for row in some)
            told.append(
                f"of {n} real trials {100 * middle:.0f} % saved (median policy), the truth in {100 * covered:.0f} % of intervals"
            )
    series = tuple(
        Series(f"{n} real trials", tuple(Point(i, row["saved"], name=row["policy"]) for i, row in enumerate(_of(rows, n))))
        for n in REAL
    )
    chart = Chart("policy", "real trials saved", tuple(s for s in series if s.points), tuple(own))
    return Finding("k_prediction", "How many real trials does the world save?", "; ".join(told), measured_on, rows, chart)


def _of(rows: Sequence[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    return [row for row in rows if row["n"] == n]


def _rows(known: Sequence[TrialRecord], own: dict[str, list[TrialRecord]], n: int, draws: int) -> list[dict[str, Any]]:
    """A row a policy with more than `n` trials."""
    rng, rows = np.random.default_rng(n), []
    for policy, trials in own.items():
        if len(trials) <= n:
            continue
        truth, saved, covered = mean(float(bool(trial.truth)) for trial in trials), [], []
        for _ in range(draws):
            picked = [trials[i] for i in rng.choice(len(trials), n, replace=False)]
            (found,) = estimate(known, [RealTrial(policy, t.task, t.group, float(bool(t.truth))) for t in picked])
            saved.append(1 - found["n"] / found["worth"] if found["helps"] else 0.0)
            covered.append(found["low"] <= truth <= found["high"])
        rows.append({"policy": policy, "n": n, "saved": mean(saved), "covered": mean(map(float, covered))})
    return rows


if __name__ == "__main__":
    main(measure)
