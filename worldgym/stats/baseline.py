"""A run's policies against a baseline: is any of them worse by more than a margin?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldgym.errors import InputError
from worldgym.io.attempts import Attempted
from worldgym.stats.equivalence import Answer, Gate, passes
from worldgym.stats.planned_trials import Planned
from worldgym.stats.policy_trials import ScoreTable


@dataclass(frozen=True, kw_only=True)
class BaselineAnswer:
    """One policy against the baseline on common trials."""

    policy: str
    """its name"""
    n: int
    """common trials"""
    initial_frames: int
    """their initial frames"""
    missing: int
    """planned trials of the two that the log lacks; with one the answer is "undecided", because the
    tasks that are done may be the easy ones"""
    answer: Answer
    """passes, fails, or undecided"""
    value: float | None
    """success rate of the policy minus that of the baseline; null without a common trial"""
    low: float
    """lower one-sided 95 % bound of it, corrected for the number of policies"""
    high: float
    """upper one"""


@dataclass(frozen=True)
class BaselineTest:
    """Every other policy against a baseline."""

    baseline: str
    """its name"""
    margin: float
    """difference of success rates that would be too much"""
    equivalent: bool
    """whether better by more than the margin fails too"""
    passes: bool
    """whether all pass"""
    answers: tuple[BaselineAnswer, ...]
    """one per policy"""


def against_baseline(
    records: Sequence[Attempted],
    policies: Sequence[str],
    planned: Planned,
    baseline: str,
    gate: Gate,
) -> BaselineTest:
    """Every other of the named policies. InputError without the baseline, or without another."""
    if baseline not in policies:
        raise InputError(
            f'the run has no policy "{baseline}" for the baseline; it has {", ".join(policies)}'
        )
    others = [policy for policy in policies if policy != baseline]
    if not others:
        raise InputError(
            f"the run has only {baseline}, so there is nothing to compare it with; name a run "
            f"with several policies"
        )
    gate = replace(gate, tests=len(others))
    table = ScoreTable.of(records, policies)
    missing = {p: planned.lacking([r for r in records if r.policy == p]) for p in policies}
    answers = []
    for policy in others:
        A, B, frames = table.common_scores(policy, baseline)
        found = passes(A, B, frames, gate)
        lacking = missing[policy] + missing[baseline]
        if lacking:
            found = replace(found, answer="undecided")
        answers.append(
            BaselineAnswer(
                policy=policy,
                n=len(frames),
                initial_frames=len(np.unique(frames)),
                missing=lacking,
                **vars(found),
            )
        )
    every = all(row.answer == "passes" for row in answers)
    return BaselineTest(baseline, gate.margin, gate.two_sided, every, tuple(answers))
