"""`worldgym policy check`: the conformance suite against a policy, its latency, and its convention
beside a world's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from worldgym.io.user_code import Failure, attempt
from worldgym.policies.adapters.wrapped import changes_of, own_spec_of
from worldgym.policies.observations import check_needs, observe
from worldgym.policies.open_loop_error import OpenLoop
from worldgym.policies.policy_protocol import Policy
from worldgym.testing import Shape, policy_rules
from worldgym.testing.rules import complaint_of
from worldgym.types import ONE_VIEW, ActionSpec, Task, Trial

INSTRUCTION = "open the drawer"


@dataclass(frozen=True)
class RuleOutcome:
    """One rule.   complaint: how it is broken, or None."""

    rule: str
    complaint: str | None


@dataclass(frozen=True)
class Latency:
    """Seconds of one call with one observation: median and 95th percentile of `calls`. per_action:
    the median divided by the chunk's length."""

    calls: int
    median: float
    p95: float
    per_action: float


@dataclass(frozen=True)
class PolicyReport:
    """compared: {field: (the policy's own, what it becomes, the world's)} of the action specs;
    empty without a world.   changes: what is done to its actions for that, in words.

    open_loop: its actions on recorded frames beside the recorded ones, where that was asked for.
    """

    policy: str
    chunk: int
    outcomes: tuple[RuleOutcome, ...]
    latency: Latency | None
    compared: Mapping[str, tuple[Any, ...]]
    open_loop: OpenLoop | None = None
    changes: tuple[str, ...] = ()

    @property
    def broken(self) -> int:
        """Rules broken, a spec that differs from the world's among them."""
        return sum(outcome.complaint is not None for outcome in self.outcomes)

    def to_json(self) -> dict[str, Any]:
        told = {
            "compared": {name: list(each) for name, each in self.compared.items()},
            "changes": list(self.changes),
            "passed": not self.broken,
        }
        return {
            **asdict(self),
            **told,
            "open_loop": self.open_loop.to_json() if self.open_loop else None,
        }


def check_and_time(
    policy: Policy[Any],
    frame_shape: Shape,
    world: ActionSpec | None,
    calls: int,
    views: Sequence[str] = ONE_VIEW,
) -> PolicyReport:
    """Every rule, whether or not one before is broken; latency only of a policy that answers.
    views: of the world that the policy will see."""
    outcomes = [
        RuleOutcome(rule, complaint_of(check))
        for rule, check in policy_rules(policy, frame_shape).items()
    ]
    met = complaint_of(lambda: check_needs(policy.name, policy.needs, policy.spec, [], views))
    outcomes.append(RuleOutcome("a world can show what it needs", met))
    if world is not None:
        differences = "; ".join(policy.spec.differences(world))
        outcomes.append(RuleOutcome("its action convention is the world's", differences or None))
    timed = attempt(lambda: _latency(policy, frame_shape, calls))
    compared = _compared(own_spec_of(policy), policy.spec, world) if world is not None else {}
    latency = None if isinstance(timed, Failure) else timed
    told = compared, None, changes_of(policy)
    return PolicyReport(policy.name, policy.chunk, tuple(outcomes), latency, *told)


def with_recorded(report: PolicyReport, compare: Callable[[], OpenLoop]) -> PolicyReport:
    """The report with one rule more: on recorded frames the policy does not do the opposite of what
    was recorded."""
    compared = attempt(compare)
    said = compared.reason if isinstance(compared, Failure) else compared.complaint()
    outcomes = (*report.outcomes, RuleOutcome("its actions agree with the recorded ones", said))
    return replace(
        report, outcomes=outcomes, open_loop=None if isinstance(compared, Failure) else compared
    )


def _latency(policy: Policy[Any], frame_shape: Shape, calls: int) -> Latency:
    """Of calls after the first, which may compile. Every call sees its own frame, so that no
    answer is an old one."""
    frames = np.random.default_rng(0).integers(0, 256, (calls + 1, *frame_shape), np.uint8)
    task = Task("latency", "latency", frames[0], INSTRUCTION, calls)
    states: Sequence[Any] = policy.reset([Trial(task, 0, 0)])
    seconds = []
    for call, frame in enumerate(frames):
        step = call * policy.chunk
        still = np.zeros((step, policy.spec.size), np.float32)
        seen = observe(policy.needs, policy.spec, task, [frame[None]] * (step + 1), still)
        started = time.perf_counter()
        states, _ = policy.act(states, [seen])
        seconds.append(time.perf_counter() - started)
    median, p95 = (float(q) for q in np.quantile(seconds[1:], [0.5, 0.95]))
    return Latency(calls, median, p95, median / policy.chunk)


def _compared(*specs: ActionSpec) -> dict[str, tuple[Any, ...]]:
    """Side by side."""
    told = [spec.to_json() for spec in specs]
    return {name: tuple(one[name] for one in told) for name in told[0]}
