"""(k) Real trials saved: with few simulator trials and many imagined ones, how many real ones is the interval worth?

The run of (a), no rollouts; two minutes. For every policy some start states are taken as "tried for real", at random, many times;
the others were only imagined. Saved = 1 - n / (real trials that would give the same width). Covered = the interval holds
the policy's true rate over all start states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median

import numpy as np

from experiments.a_agreement import SEEDS
from experiments.chart import Chart, Point, Series
from experiments.frame import Finding, Setup, main, on, scope, scored
from worldgym.errors import InputError
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


@dataclass(frozen=True)
class Saving:
    """One policy with `n` real trials, over many draws. saved: share of the real trials that would be needed otherwise, mean.

    covered: share of the intervals that hold the true rate.
    """

    policy: str
    n: int
    saved: float
    covered: float


def finding(run: Run, measured_on: str, draws: int = DRAWS) -> Finding:
    known = [trial for trial in run.trials() if trial.truth is not None and trial.score is not None]
    policies = list(dict.fromkeys(trial.policy for trial in known))
    savings = {n: [found for policy in policies if (found := _saving(known, policy, n, draws))] for n in REAL}
    told = [
        f"of {n} real trials {100 * median(s.saved for s in some):.0f} % saved (median policy), the truth in "
        f"{100 * mean(s.covered for s in some):.0f} % of intervals"
        for n, some in savings.items()
        if some
    ]
    if not told:
        raise InputError(f"no policy of the run has more than {REAL[0]} scored trials of known truth; score more start states")
    series = tuple(
        Series(f"{n} real trials", tuple(Point(policies.index(s.policy), s.saved, name=s.policy) for s in some))
        for n, some in savings.items()
        if some
    )
    chart = Chart("policy", "real trials saved", series, tuple(policies))
    rows = [asdict(saving) for some in savings.values() for saving in some]
    return Finding("k_prediction", "How many real trials does the world save?", "; ".join(told), measured_on, rows, chart)


def _saving(known: Sequence[TrialRecord], policy: str, n: int, draws: int) -> Saving | None:
    """None for a policy without trials beyond `n`."""
    own = [trial for trial in known if trial.policy == policy]
    if len(own) <= n:
        return None
    truth, rng = mean(float(trial.truth is True) for trial in own), np.random.default_rng(n)
    saved, covered = [], []
    for _ in range(draws):
        picked = [own[i] for i in rng.choice(len(own), n, replace=False)]
        (found,) = estimate(own, [RealTrial(policy, t.task, t.group, float(t.truth is True)) for t in picked])
        saved.append(1 - found["n"] / found["worth"] if found["helps"] else 0.0)
        covered.append(float(found["low"] <= truth <= found["high"]))
    return Saving(policy, n, mean(saved), mean(covered))


if __name__ == "__main__":
    main(measure)
