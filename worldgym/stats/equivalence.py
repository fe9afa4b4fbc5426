"""Is a policy not worse than a baseline by more than a margin? A gate for checkpoints that are to
be released."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from worldgym.errors import InputError
from worldgym.stats.comparison import paired_interval
from worldgym.stats.per_frame import Labels, Numbers

Answer = Literal["passes", "fails", "undecided"]
LEVEL = 0.95


@dataclass(frozen=True)
class Gate:
    """margin: difference of rates in (0, 1) that would be too much.   two_sided: better by more
    fails too (equivalence).

    tests: number of policies that are tested together; the level of each is corrected for it
    (Bonferroni)."""

    margin: float
    two_sided: bool = False
    tests: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1:
            raise InputError(
                f"--margin is {self.margin:g}: give a difference of success rates between 0 and 1; "
                f"0.05 is 5 points"
            )


@dataclass(frozen=True)
class Passed:
    """value: rate of the policy minus that of the baseline, None without a common trial.

    low, high: one-sided 95 % bounds of it (together a 90 % interval), corrected for the number of
    policies."""

    answer: Answer
    value: float | None
    low: float
    high: float


def passes(policy: Numbers, baseline: Numbers, frames: Labels, gate: Gate) -> Passed:
    """For scores [N] of both in the same trials, and the trials' initial frames. Without a trial it
    is undecided.

    Not worse (non-inferiority): the lower bound lies above -margin; it fails where the upper one
    lies below. Equivalence is two one-sided tests (D. J. Schuirmann (1987), J. Pharmacokinet.
    Biopharm. 15, 657-680) with Tango's score interval, see `comparison.paired_interval`. With a
    single initial frame the answer is about that frame alone."""
    if len(policy) == 0:
        return Passed("undecided", None, -1.0, 1.0)
    low, high = paired_interval(policy, baseline, frames, 1 - 2 * (1 - LEVEL) / gate.tests)
    above = low > -gate.margin and (high < gate.margin or not gate.two_sided)
    beyond = high < -gate.margin or (gate.two_sided and low > gate.margin)
    answer: Answer = "passes" if above else "fails" if beyond else "undecided"
    return Passed(answer, float((policy - baseline).mean()), low, high)
