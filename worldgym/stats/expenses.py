"""What a run took: time by its parts, votes, tokens and money. Sums over every attempt, failed ones
included."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worldgym.io.run_records import TrialRecord

PARTS = ("world", "decode", "policy", "judge")  # of the time, in the order in which they are shown


@dataclass(frozen=True, kw_only=True)
class Expenses:
    """Sums over attempts. Verdicts that were computed at the same time each count in full."""

    attempts: int
    """number of attempts, failed ones included"""
    seconds: float
    """wall time of the rollouts"""
    timing: Mapping[str, float]
    """seconds by part (world, decode, policy, judge), as far as the log has them"""
    votes: int
    """answers of the judge"""
    tokens_in: int
    """tokens sent to the judge"""
    tokens_out: int
    """tokens that the judge answered with"""
    cost_usd: float
    """price of the verdicts in US dollars"""
    paid_usd: float
    """what this run paid for them in US dollars; votes bought before cost nothing again"""


@dataclass(frozen=True, kw_only=True)
class PolicyExpenses(Expenses):
    """What the attempts of one policy took."""

    policy: str
    """its name"""


@dataclass(frozen=True, kw_only=True)
class RunExpenses(Expenses):
    """What a whole run took."""

    policies: tuple[PolicyExpenses, ...]
    """the same for each policy, in the run's order"""


def run_expenses(records: Sequence[TrialRecord], policies: Sequence[str]) -> RunExpenses:
    """Of every attempt of a run, in all and for each of the named policies."""
    each = [
        PolicyExpenses(policy=name, **vars(expenses([r for r in records if r.policy == name])))
        for name in policies
    ]
    return RunExpenses(policies=tuple(each), **vars(expenses(records)))


def expenses(records: Sequence[TrialRecord]) -> Expenses:
    votes = [vote for r in records for vote in r.votes]
    known = {part for r in records for part in r.timing}
    return Expenses(
        attempts=len(records),
        seconds=math.fsum(r.seconds for r in records),
        timing={
            part: math.fsum(r.timing.get(part, 0.0) for r in records)
            for part in (*PARTS, *sorted(known - set(PARTS)))
            if part in known
        },
        votes=len(votes),
        tokens_in=sum(vote.tokens_in for vote in votes),
        tokens_out=sum(vote.tokens_out for vote in votes),
        cost_usd=math.fsum(r.cost_usd for r in records),
        paid_usd=math.fsum(r.paid_usd for r in records),
    )
