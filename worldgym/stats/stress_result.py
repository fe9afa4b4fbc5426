"""What a search for the mildest edit that breaks a policy found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StressedEdit:
    """An edit at a strength, on trials that the search did not use: fall of the success rate with
    its 95 % interval over n pairs.   confirmed: it breaks the policy."""

    edit: str
    strength: float
    name: str
    drop: float | None
    low: float
    high: float
    p_holm: float | None
    n: int
    confirmed: bool


@dataclass(frozen=True)
class StressRound:
    """Of the search. candidates: by name."""

    candidates: tuple[str, ...]
    trials_a_group: int


@dataclass(frozen=True)
class StressResult:
    """What OUT/stress.json holds. candidates: the confirmed ones first, and of them the
    mildest.   suite: folder of the confirmed edits, None where there is none.   runs: folders
    within OUT."""

    candidates: tuple[StressedEdit, ...]
    rollouts: int
    budget: int
    rounds: tuple[StressRound, ...]
    suite: str | None
    runs: tuple[str, ...]
