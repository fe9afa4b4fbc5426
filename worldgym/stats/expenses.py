"""What a run took: time by its parts, votes, tokens and money. Sums over every attempt, failed ones
included."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

from worldgym.types import Vote

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


class Costly(Protocol):
    """What an attempt took: a `TrialRecord`, or an `AttemptCost`."""

    @property
    def seconds(self) -> float: ...
    @property
    def timing(self) -> Mapping[str, float]: ...
    @property
    def votes(self) -> Sequence[Vote]: ...
    @property
    def cost_usd(self) -> float: ...
    @property
    def paid_usd(self) -> float: ...


class ExpenseTally:
    """Adds up attempts one at a time. Every number is kept, so that sums are exact and do not
    depend on the order."""

    def __init__(self) -> None:
        self._of: dict[str, _Columns] = defaultdict(_Columns)

    def add(self, policy: str, cost: Costly) -> None:
        mine = self._of[policy]
        mine.attempts += 1
        mine.seconds.append(cost.seconds)
        for part, seconds in cost.timing.items():
            mine.timing[part].append(seconds)
        for vote in cost.votes:
            mine.votes += 1
            mine.tokens_in += vote.tokens_in
            mine.tokens_out += vote.tokens_out
        if cost.cost_usd:
            mine.cost_usd.append(cost.cost_usd)
        if cost.paid_usd:
            mine.paid_usd.append(cost.paid_usd)

    def of(self, policies: Sequence[str]) -> RunExpenses:
        """In all, and for each of the named policies."""
        each = [
            PolicyExpenses(policy=name, **_sums([self._of.get(name, _Columns())]))
            for name in policies
        ]
        return RunExpenses(policies=tuple(each), **_sums(list(self._of.values())))


@dataclass
class _Columns:
    """Of the attempts of one policy, one column per number."""

    attempts: int = 0
    votes: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: array[float] = field(default_factory=lambda: array("d"))
    cost_usd: array[float] = field(default_factory=lambda: array("d"))
    paid_usd: array[float] = field(default_factory=lambda: array("d"))
    timing: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("d")))


def _sums(columns: Sequence[_Columns]) -> dict[str, Any]:
    """The fields of `Expenses`."""
    known = {part for own in columns for part in own.timing}
    return {
        "attempts": sum(own.attempts for own in columns),
        "seconds": math.fsum(chain.from_iterable(own.seconds for own in columns)),
        "timing": {
            part: math.fsum(chain.from_iterable(own.timing.get(part, ()) for own in columns))
            for part in (*PARTS, *sorted(known - set(PARTS)))
            if part in known
        },
        "votes": sum(own.votes for own in columns),
        "tokens_in": sum(own.tokens_in for own in columns),
        "tokens_out": sum(own.tokens_out for own in columns),
        "cost_usd": math.fsum(chain.from_iterable(own.cost_usd for own in columns)),
        "paid_usd": math.fsum(chain.from_iterable(own.paid_usd for own in columns)),
    }
