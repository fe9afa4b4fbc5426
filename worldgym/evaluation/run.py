"""Carries out a plan: batches -> records -> log. Resumes where a run stopped; a failed trial is
isolated, retried, counted apart."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from worldgym.errors import BudgetSpent, SameFailure
from worldgym.evaluation.batch_records import OpenRun, failed_record
from worldgym.evaluation.finishing import Finisher
from worldgym.evaluation.fitting import RESIZED
from worldgym.evaluation.initial_frames import start_flags
from worldgym.evaluation.load_parts import Sources, load_plan
from worldgym.evaluation.plan import (
    EvaluateConfig,
    EvaluationPlan,
    plan_evaluation,
)
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.trials import in_batches
from worldgym.evaluation.unjudged import waiting
from worldgym.evaluation.watchdog import Watchdog
from worldgym.io.progress import progress
from worldgym.io.run_log import RunLog
from worldgym.io.run_records import ENGINE_KEY, TrialRecord
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import Bench, charge, tried
from worldgym.policies.policy_protocol import Policy
from worldgym.report.page import write_results
from worldgym.stats.repeated_failures import RepeatedFailures
from worldgym.stats.summary import Summary
from worldgym.stats.trusted import adopt_check
from worldgym.types import Task, Trial
from worldgym.world.world_protocol import World

T = TypeVar("T")
Batches = Sequence[tuple[Policy[Any], list[Trial]]]


def evaluate_sources(sources: Sources, config: EvaluateConfig) -> Summary:
    """Loads everything, then `evaluate`."""
    return carry_out(load_plan(sources, config))


def evaluate(
    config: EvaluateConfig,
    world: World[Any],
    policies: Sequence[Policy[Any]],
    tasks: Sequence[Task],
    judge: Judge,
    origin: Origin | None = None,
) -> Summary:
    """Plans the run, then `carry_out`."""
    return carry_out(plan_evaluation(config, world, policies, tasks, judge, origin))


def carry_out(plan: EvaluationPlan) -> Summary:
    """Runs what the log lacks, writes RUN/log.jsonl, videos, RUN/summary.json and RUN/report.html,
    and returns the summary. SameFailure, after writing the summary, where one failure keeps
    repeating."""
    config = plan.config
    may_differ = (ENGINE_KEY,) if config.other_engine else ()
    with RunLog.open(config.out, plan.header, may_differ=may_differ) as log:
        _say_what_is_mixed(config.out, log.header.config, plan.header.config)
        if config.check is not None:
            adopt_check(config.out, config.check, plan.world.name)
        batches = list(in_batches(plan.policies, plan.trials, plan.rows, log.done))
        run = _opened(plan, log, batches)
        try:
            _run_what_is_left(run, batches)
        except BudgetSpent as spent:  # the rest is counted as failed, and waits for the next start
            for record in _not_tried(run, batches, str(spent)):
                log.append(record)
        except SameFailure:
            write_results(config.out, config.include_red)
            raise
        return write_results(config.out, config.include_red)


def _opened(plan: EvaluationPlan, log: RunLog, batches: Batches) -> OpenRun:
    """With what earlier starts left, and what is said of the initial frames of what is left."""
    out = plan.config.out
    done = len(log.done)
    planned = len(plan.policies) * len(plan.trials)
    ran = waiting(out, log)
    charge(plan.judge, out, log.paid_usd)
    left = {t.task.name: t.task for _, batch in batches for t in batch}
    starts = start_flags(list(left.values()), plan.familiarity, plan.judge)
    for name in plan.resized.keys() & starts.keys():
        starts[name] = (*starts[name], RESIZED)
    _say_what_is_there(out, done, planned)
    return OpenRun(plan, Bench(plan.judge, RepeatedFailures()), log, starts, ran)


def _run_what_is_left(run: OpenRun, batches: Batches) -> None:
    in_time = _in_time(run.plan.config, batches)
    stall = Watchdog(run.plan.config.stall_minutes)
    with stall as dog, Finisher(run, dog.fed) as finisher:
        for policy, batch in progress(in_time, len(batches), "rolling out", "batch"):
            finisher.play(policy, batch)


def _not_tried(run: OpenRun, batches: Batches, reason: str) -> Iterator[TrialRecord]:
    """A failed record of every trial that this start of the run has not come to."""
    for policy, batch in batches:
        for trial in batch:
            if not tried(run.log, (policy.name, trial.task.name, trial.repeat)):
                yield failed_record(run, policy.name, trial, reason)


def _say_what_is_there(out: Path, done: int, planned: int) -> None:
    """Where a run goes on, on standard error: or else nobody knows whether a table is new."""
    if done >= planned:
        print(f"{out}: all {planned} trials were there; none was rolled out", file=sys.stderr)
    elif done:
        print(f"{out}: {done} of {planned} trials were there; the rest follows", file=sys.stderr)


def _say_what_is_mixed(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Frames of two engines in one run, as `other_engine` allows: on standard error."""
    began, goes_on = before.get(ENGINE_KEY), now.get(ENGINE_KEY)
    if began and goes_on and began != goes_on:
        print(f"{out}: began on {began}, and goes on on {goes_on}", file=sys.stderr)


def _in_time(config: EvaluateConfig, batches: Sequence[T]) -> Iterator[T]:
    """The batches, until `max_minutes` have passed."""
    started = time.monotonic()
    for done, batch in enumerate(batches):
        if (
            config.max_minutes is not None
            and time.monotonic() - started > 60.0 * config.max_minutes
        ):
            left = f"{len(batches) - done} of {len(batches)} batches are left"
            print(
                f"worldgym: {config.max_minutes:g} minutes are over; {left}, and the same command "
                f"goes on",
                file=sys.stderr,
            )
            return
        yield batch
