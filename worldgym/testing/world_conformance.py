"""`worldgym world check` of a world whatever it is made of: does it follow the protocol, as far as
it promises to, and how long does a step take?"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from worldgym.io.user_code import Failure, attempt
from worldgym.testing.rules import complaint_of
from worldgym.testing.world_rules import WorldRule, later_actions, timed_step, world_rules
from worldgym.world.capabilities import WorldCard
from worldgym.world.world_protocol import World


@dataclass(frozen=True)
class RuleResult:
    """One rule of a world.   why: the complaint, or why it is not asked; "" where it passed."""

    rule: str
    result: Literal["passed", "broken", "not promised"]
    why: str = ""


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step of one row: median and longest of `calls`, after a first one.   per_action:
    the median by the actions of a step."""

    calls: int
    actions: int
    median: float
    longest: float
    per_action: float


@dataclass(frozen=True)
class WorldReport:
    """What `check_and_time_world` found.

    later_actions: grey levels, see `worldgym.testing.world_rules.later_actions`.   step_time: None
    of a world that fails."""

    card: WorldCard
    results: tuple[RuleResult, ...]
    later_actions: int | None
    step_time: StepTime | None

    @property
    def broken(self) -> int:
        return sum(one.result == "broken" for one in self.results)

    def to_json(self) -> dict[str, Any]:
        return {
            "world": self.card.to_json(),
            "rules": [asdict(one) for one in self.results],
            "later_actions": self.later_actions,
            "step_time": None if self.step_time is None else asdict(self.step_time),
            "passed": not self.broken,
        }


def check_and_time_world(world: World[Any], calls: int = 5, tolerance: int = 1) -> WorldReport:
    """Every rule, whether or not one before is broken.   calls: steps timed."""
    rules = world_rules(world, tolerance)
    results = tuple(_result(name, rule) for name, rule in rules.items())
    gap = attempt(lambda: later_actions(world))
    timed = attempt(lambda: _timed(world, calls))
    return WorldReport(
        WorldCard.of(world),
        results,
        None if isinstance(gap, Failure) else gap,
        None if isinstance(timed, Failure) else timed,
    )


def _result(name: str, rule: WorldRule) -> RuleResult:
    if rule.check is None:
        return RuleResult(name, "not promised", rule.reason)
    complaint = complaint_of(rule.check)
    if complaint is None:
        return RuleResult(name, "passed")
    return RuleResult(name, "broken", complaint)


def _timed(world: World[Any], calls: int) -> StepTime:
    again = timed_step(world)
    seconds = []
    for _ in range(calls + 1):
        started = time.perf_counter()
        actions = again()
        seconds.append(time.perf_counter() - started)
    median = float(np.median(seconds[1:]))
    return StepTime(calls, actions, median, max(seconds[1:]), median / actions)
