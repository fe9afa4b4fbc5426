"""A preview of an evaluation: trials that are planned, done and left, and their time and cost,
estimated from the run so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from worldgym.errors import InputError
from worldgym.evaluation.load_parts import Sources, load_plan
from worldgym.evaluation.plan import EvaluateConfig, EvaluationPlan
from worldgym.evaluation.trials import left_of
from worldgym.io.run_growth import growth_difference
from worldgym.io.run_log import LOG_NAME, began_with
from worldgym.io.run_records import ENGINE_KEY
from worldgym.stats.run_attempts import RunAttempts


@dataclass(frozen=True)
class Preview:
    """run: its folder.   policies: their names.   planned, left: trials of this evaluation, and
    those of them that have not finished.   seconds, usd: for what is left, on one worker like the
    ones before; None where no trial of the run has finished yet."""

    run: str
    policies: tuple[str, ...]
    planned: int
    left: int
    seconds: float | None
    usd: float | None

    @property
    def done(self) -> int:
        return self.planned - self.left


def preview(sources: Sources, config: EvaluateConfig) -> Preview:
    """Loads everything, and writes nothing. InputError or SpecMismatch for what would be refused
    before the first frame."""
    plan = load_plan(sources, replace(config, began=began_with(config.out)))
    names = tuple(policy.name for policy in plan.policies)
    planned = len(names) * len(plan.trials)
    if not (config.out / LOG_NAME).exists():
        return Preview(str(config.out), names, planned, planned, None, None)
    run = _known(config.out, plan)
    done = {record.key for record in run.outcome.finished}
    left = {policy.name: len(left_of(policy, plan.trials, done)) for policy in plan.policies}
    spent = run.spent.of(sorted({record.policy for record in run.attempts}))
    costs = [one for one in spent.policies if one.attempts]
    return Preview(
        str(config.out),
        names,
        planned,
        sum(left.values()),
        _expected(left, {one.policy: one.seconds / one.attempts for one in costs}),
        _expected(left, {one.policy: one.cost_usd / one.attempts for one in costs}),
    )


def _known(out: Path, plan: EvaluationPlan) -> RunAttempts:
    run = RunAttempts.read(out)
    may_differ = (ENGINE_KEY,) if plan.config.other_engine else ()
    if difference := growth_difference(run.header, plan.header, may_differ):
        raise InputError(
            f"{out} holds another run: {difference}; choose another folder, or repeat its options"
        )
    return run


def _expected(left: Mapping[str, int], each: Mapping[str, float]) -> float | None:
    """A policy that has not run yet costs as much as the others do on average."""
    if not each:
        return None
    usual = fmean(each.values())
    return sum(count * each.get(policy, usual) for policy, count in left.items())
