"""(k) Real trials saved: with few simulator trials and many generated ones, how many real ones is
the interval worth?

The run of (a), no rollouts; 2 minutes. For every policy some start states are drawn as "tried for
real", at random from those of all tasks, many times, and others as only generated, together as many
as there are, with replacement. Saved = 1 - n / (real trials that would give the same width).
Covered = the interval holds the policy's true rate over all start states. Both are estimated for
the mixture of tasks that the draws come from, and once more within tasks alone, as they must be
where the robot's trials are of another mixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import mean, median

import numpy as np

from experiments.a_agreement import SEEDS
from experiments.chart import Chart, Point, Series
from experiments.frame import Finding, Setup, main, on, scope, scored
from worldgym.errors import InputError
from worldgym.io.run_records import TrialRecord
from worldgym.reference.scoring import ScoredRun
from worldgym.stats.studies import estimate
from worldgym.stats.tables import RealTrial

REAL = (20, 40, 80)  # trials per policy
DRAWS = 40


def measure(setup: Setup) -> Finding:
    """Real trials saved by prediction-powered inference at equal width of the interval."""
    what = scope(setup, "held-out", SEEDS)
    return finding(scored(setup, what), on(what, setup.instrument))


@dataclass(frozen=True)
class Saving:
    """One policy with `n` real trials, over many draws. saved: share of the real trials that would
    be needed otherwise, mean.

    covered: share of the intervals that hold the true rate.   within: what the world knows about
    whole tasks is not credited."""

    policy: str
    n: int
    saved: float
    covered: float
    within: bool


def finding(run: ScoredRun, measured_on: str, draws: int = DRAWS) -> Finding:
    known = [trial for trial in run.trials() if trial.truth is not None and trial.score is not None]
    policies = list(dict.fromkeys(trial.policy for trial in known))
    savings = [
        saving for n in REAL for policy in policies for saving in _savings(known, policy, n, draws)
    ]
    sizes = [n for n in REAL if any(saving.n == n for saving in savings)]
    if not sizes:
        raise InputError(
            f"no policy of the run has more than {REAL[0]} scored trials of known truth; score "
            f"more start states"
        )
    mixed = {
        n: [saving for saving in savings if saving.n == n and not saving.within] for n in sizes
    }
    told = [f"of {n} real trials {_told(some)} % of intervals" for n, some in mixed.items()]
    within = _told([saving for saving in savings if saving.n == sizes[-1] and saving.within])
    series = tuple(
        Series(
            f"{n} real trials",
            tuple(Point(policies.index(s.policy), s.saved, name=s.policy) for s in some),
        )
        for n, some in mixed.items()
    )
    chart = Chart("policy", "real trials saved", series, tuple(policies))
    result = f"{'; '.join(told)}; within tasks alone, of {sizes[-1]}, {within} %"
    rows = [asdict(saving) for saving in savings]
    return Finding(
        "k_prediction",
        "How many real trials does the world save?",
        result,
        measured_on,
        rows,
        chart,
    )


def _told(some: Sequence[Saving]) -> str:
    saved = median(s.saved for s in some)
    covered = mean(s.covered for s in some)
    return f"{100 * saved:.0f} % saved (median policy), the truth in {100 * covered:.0f}"


def _savings(known: Sequence[TrialRecord], policy: str, n: int, draws: int) -> list[Saving]:
    """As a mixture, and within tasks. Empty for a policy without trials beyond `n`."""
    own = [trial for trial in known if trial.policy == policy]
    if len(own) <= n:
        return []
    truth = mean(float(trial.truth is True) for trial in own)
    rng = np.random.default_rng(n)
    studies = []
    # with replacement: the scored trials stand for all that there could be, of which these are the
    # rate
    for _ in range(draws):
        drawn = [
            replace(own[i], task=f"{own[i].task} {k}", repeat=0)
            for k, i in enumerate(rng.integers(0, len(own), len(own)))
        ]
        studies.append(
            (drawn, [RealTrial(policy, t.task, t.group, float(t.truth is True)) for t in drawn[:n]])
        )
    savings = []
    for within in (False, True):
        found = [
            estimate(drawn, table, mixture=not within).estimates[0] for drawn, table in studies
        ]
        saved = mean(1 - e.n / e.worth if e.helps else 0.0 for e in found)
        savings.append(
            Saving(policy, n, saved, mean(float(e.low <= truth <= e.high) for e in found), within)
        )
    return savings


if __name__ == "__main__":
    main(measure)
