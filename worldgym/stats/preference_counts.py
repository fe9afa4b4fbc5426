"""Which policy's rollouts did better, counted, and what that says of the policies."""

from __future__ import annotations

from dataclasses import dataclass

from worldgym.stats.failure_reasons import FailureReasons
from worldgym.stats.ranking import PolicyRanking


@dataclass(frozen=True)
class PreferenceCounts:
    """Of the comparisons of two policies. disagreed: ties that come from the two orders alone, the
    measure of position bias."""

    first: int
    second: int
    tie: int
    undecided: int
    disagreed: int


@dataclass(frozen=True)
class PairPreferences:
    """Names of two policies, and what came out. broken: comparisons on which the judge failed."""

    first: str
    second: str
    trials: int
    broken: int
    won: PreferenceCounts


@dataclass(frozen=True)
class PolicyStrength:
    """Log strength with its 95 % interval (see bradley_terry.py): all sum to 0, a gap of 1 is odds
    of 2.7 where there is no tie.

    factor: how many times the comparisons of one initial frame, which share rollouts, widen the
    variance."""

    policy: str
    value: float
    low: float
    high: float
    factor: float


@dataclass(frozen=True)
class PreferenceFigures:
    """What OUT/comparisons.json holds. strengths: strongest first.   ranking: None where nothing
    was decided.   reasons: why comparisons broke."""

    pairs: tuple[PairPreferences, ...]
    strengths: tuple[PolicyStrength, ...]
    ranking: PolicyRanking | None
    cost_usd: float
    reasons: FailureReasons
    judge: str
