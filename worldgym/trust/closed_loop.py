"""Policies in closed loop with the world, unchanged and with every action one step late.

OUT/run/       as `worldgym evaluate` writes it
OUT/delayed/   the same of the policies with a delay of one action, named POLICY-delayed"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from worldgym.evaluation.plan import EvaluateConfig, EvaluationPlan, plan_evaluation
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.run import carry_out
from worldgym.io.bundled import each_policy
from worldgym.io.run_records import TrialRecord
from worldgym.policies.adapters.disturbed_policy import Disturbance, DisturbedPolicy
from worldgym.policies.load_policy import Loaded, load
from worldgym.trust.controls import DELAYED, Floor, Truth, floors_of
from worldgym.trust.fit_error_predictor import rollouts_of
from worldgym.trust.trust_inputs import TrustConfig, TrustInputs, load_inputs
from worldgym.types import Rollout, Task

RUN = "run"


@dataclass(frozen=True)
class ClosedLoop:
    """Scored rollouts of a run, their lines in its log, and the chunk of each policy."""

    rollouts: tuple[Rollout, ...]
    records: tuple[TrialRecord, ...]
    chunks: Mapping[str, int]

    def only(self, tasks: Sequence[Task]) -> ClosedLoop:
        """Those of some of the tasks."""
        names = {task.name for task in tasks}
        return ClosedLoop(
            tuple(r for r in self.rollouts if r.trial.task.name in names),
            tuple(r for r in self.records if r.task in names),
            self.chunks,
        )


def closed_loop(
    config: TrustConfig, parts: TrustInputs, tasks: Sequence[Task], late: bool = False
) -> ClosedLoop:
    """Rolls out what is missing. late: the policies with every action one step late."""
    plan = _plan(config, tasks, late, parts)
    carry_out(plan, partial(_plan, config, tasks, late)).ended()
    rollouts, records, chunks = rollouts_of(plan.config.out)
    return ClosedLoop(tuple(rollouts), tuple(records), chunks)


def _plan(
    config: TrustConfig, tasks: Sequence[Task], late: bool, parts: TrustInputs | None = None
) -> EvaluationPlan:
    """parts: None = loaded here, in a worker."""
    parts = parts or load_inputs(config)
    loaded = _policies(config, parts, late)
    run = EvaluateConfig(
        config.out / (DELAYED if late else RUN),
        config.per_task,
        config.seed,
        config.batch,
        command=config.command,
        other_engine=config.other_engine,
        grows=False,
        on=config.on,
        workers=config.workers,
        gpus=config.gpus,
    )
    origin = Origin.of(parts.world, loaded, {"tasks": str(config.tasks)}, parts.familiarity)
    policies = [known.policy for known in loaded]
    return plan_evaluation(run, parts.world, policies, tasks, parts.judge, origin)


def delayed_floors(
    config: TrustConfig, parts: TrustInputs, tasks: Sequence[Task], truth: Truth | None
) -> list[Floor]:
    """Of the policies acting again, one step late, on the tasks whose initial frame the world
    knows. What the judge could not score is told by the run in OUT/delayed."""
    late = closed_loop(config, parts, tasks, late=True)
    scores = [record.score for record in late.records]
    if truth is None:
        return floors_of(DELAYED, late.rollouts, scores)
    policies = [known.policy for known in _policies(config, parts, late=True)]
    known = truth.of_policies(policies, tasks)
    happened = [known.get((record.policy, record.task)) for record in late.records]
    return floors_of(DELAYED, late.rollouts, scores, happened)


def _policies(config: TrustConfig, parts: TrustInputs, late: bool) -> list[Loaded]:
    named = each_policy(config.policies)
    loaded = [load(policy, parts.world.spec, config.device) for policy in named]
    return [_delayed(known) for known in loaded] if late else loaded


def _delayed(known: Loaded) -> Loaded:
    late = DisturbedPolicy(known.policy, Disturbance(delay=1), f"{known.policy.name}-{DELAYED}")
    return replace(known, policy=late)
