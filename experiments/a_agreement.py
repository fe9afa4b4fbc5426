"""(a) Success rates in the world against the truth, over policies x tasks, beside what a perfect
evaluator would reach.

Held-out policies, 50 start states per task. Two idle cores: 13 minutes of truth, 38 in the world.
"""

from __future__ import annotations

from experiments.chart import Chart, Point, Series
from experiments.frame import Finding, Setup, main, on, scope, scored
from worldgym.io.json_form import to_json
from worldgym.reference.scoring import ScoredRun
from worldgym.report.formats import decimal
from worldgym.report.trust_sentences import reached
from worldgym.stats.success_counts import CellSummary

SEEDS = 50


def measure(setup: Setup) -> Finding:
    """Agreement of the world with the truth on held-out policies and start states."""
    what = scope(setup, "held-out", SEEDS)
    return finding(scored(setup, what), on(what, setup.instrument))


def finding(run: ScoredRun, measured_on: str) -> Finding:
    found = run.agreement
    known = [c for c in run.summary.cells if c.rate is not None and c.truth_rate is not None]
    ceiling = found.noise_ceiling
    best = f" (a perfect evaluator: {reached(ceiling)})" if ceiling else ""
    result = (
        f"r = {decimal(found.pearson)}{best}, within policies "
        f"{decimal(found.policy_centred_pearson)}, mean gap of policy "
        f"means {found.mean_abs_gap:.1f} points, MMRV {found.mmrv:.3f}, {found.n} cells"
    )
    names = dict.fromkeys(cell.policy for cell in known)
    series = tuple(
        Series(name, tuple(_point(cell) for cell in known if cell.policy == name)) for name in names
    )
    chart = Chart("truth", "world model", series, diagonal=True)
    rows = [
        {
            key: to_json(cell)[key]
            for key in ("policy", "task", "trials", "rate", "truth_trials", "truth_rate")
        }
        for cell in known
    ]
    return Finding(
        "a_agreement",
        "Do success rates in the world equal the true ones?",
        result,
        measured_on,
        rows,
        chart,
    )


def _point(cell: CellSummary) -> Point:
    return Point(
        cell.truth_rate or 0.0,
        cell.rate or 0.0,
        cell.low,
        cell.high,
        f"{cell.policy}, {cell.task}",
    )


if __name__ == "__main__":
    main(measure)
