"""Carries out a plan: batches -> records -> log. Resumes where a run stopped; a failed trial is
isolated, retried, counted apart."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from worldgym.errors import BudgetSpent, SameFailure, Unfinished
from worldgym.evaluation.batch_finisher import BatchFinisher
from worldgym.evaluation.batch_records import OpenRun, failed_record, lies_on_disk
from worldgym.evaluation.batch_writer import BatchWriter
from worldgym.evaluation.executor import Executor, LocalExecutor, MadeJobs, Watch
from worldgym.evaluation.executor_names import executor_named, no_budget_elsewhere
from worldgym.evaluation.fitting import RESIZED
from worldgym.evaluation.initial_frames import start_flags
from worldgym.evaluation.load_parts import Sources, as_loaded, load_plan
from worldgym.evaluation.plan import (
    EvaluateConfig,
    EvaluationPlan,
    plan_evaluation,
)
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.remote_batches import BatchJob, batch_job, remote_setup, say_lost
from worldgym.evaluation.stop_conditions import Ending, ended_by_signals, unfinished
from worldgym.evaluation.trials import in_batches, left_of
from worldgym.evaluation.unjudged import waiting
from worldgym.evaluation.watchdog import Watchdog
from worldgym.io.attempts import trial_key
from worldgym.io.devices import gpu_share
from worldgym.io.progress import progress
from worldgym.io.run_files import FolderFiles
from worldgym.io.run_log import RunLog, began_with
from worldgym.io.run_records import ENGINE_KEY, TrialRecord
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import Bench, charge
from worldgym.policies.policy_protocol import Policy
from worldgym.report.page import write_results
from worldgym.stats.repeated_failures import RepeatedFailures
from worldgym.stats.summary import Summary
from worldgym.stats.world_trust import adopt_trust
from worldgym.types import Task, Trial
from worldgym.world.world_protocol import World

Batches = Sequence[tuple[Policy[Any], list[Trial]]]


@dataclass(frozen=True)
class CarriedOut:
    """summary: of the whole run.   failed, left: trials of this plan that failed in every attempt,
    and that were not begun; a run that grew has others.   stopped: whether it was ended early,
    perhaps in its last batch.   spent: what the judge says whose budget ended it."""

    summary: Summary
    failed: int
    left: int
    stopped: bool
    spent: str = ""

    def ended(self) -> Summary:
        """The summary, for what is computed from a run. Unfinished where it was ended early: what
        follows would rest on a part of it."""
        if self.spent:
            raise Unfinished(self.spent)
        if self.left or self.stopped:
            raise unfinished(self.left)
        return self.summary


def run_sources(sources: Sources, config: EvaluateConfig) -> CarriedOut:
    """Loads everything, then `carry_out`."""
    no_budget_elsewhere(config.on, sources.judge_budget_usd)
    config = replace(config, began=began_with(config.out))
    plan = load_plan(sources, config)
    done = carry_out(plan, partial(load_plan, as_loaded(sources, plan), config))
    _say_share()
    return done


def evaluate_parts(
    config: EvaluateConfig,
    world: World[Any],
    policies: Sequence[Policy[Any]],
    tasks: Sequence[Task],
    judge: Judge,
    origin: Origin | None = None,
) -> Summary:
    """Plans the run, then `carry_out`."""
    config = replace(config, began=began_with(config.out))
    load = partial(plan_evaluation, config, world, policies, tasks, judge, origin)
    return carry_out(load(), load).summary


def carry_out(plan: EvaluationPlan, load: Callable[[], EvaluationPlan] | None = None) -> CarriedOut:
    """Runs what the log lacks, and writes RUN/log.jsonl, videos, RUN/summary.json and
    RUN/report.html. SameFailure, after writing the summary, where one failure keeps repeating.

    load: makes the same plan in another process, for workers; None = the plan itself is sent."""
    config = plan.config
    executor = executor_named(config.on, config.workers, config.gpus)
    may_differ = (ENGINE_KEY,) if config.other_engine else ()
    with RunLog.open(config.out, plan.header, may_differ=may_differ, grows=config.grows) as log:
        _say_what_is_mixed(config.out, log.header.config, plan.header.config)
        if config.trust is not None:
            adopt_trust(config.out, config.trust, plan.world.name)
        batches = [
            (policy, batch)
            for policy in plan.policies
            for batch in in_batches(policy, plan.trials, plan.rows_of(policy), log.done)
        ]
        run = _opened(plan, log, batches)
        ending, spent = Ending(config.max_minutes), ""
        elsewhere = not isinstance(executor, LocalExecutor)
        try:
            with ended_by_signals(ending, interrupt=elsewhere):
                if elsewhere:
                    _run_elsewhere(run, batches, executor, load or partial(replace, plan), ending)
                else:
                    _run_what_is_left(run, batches, ending)
        except BudgetSpent as error:  # the rest is counted as failed, and waits for the next start
            spent = str(error)
            for record in _not_tried(run, batches, spent):
                log.append(record)
        except SameFailure:
            write_results(config.out, config.include_red)
            raise
        summary = write_results(config.out, config.include_red)
        return CarriedOut(summary, *_not_done(plan, log), ending.ended, spent)


def _not_done(plan: EvaluationPlan, log: RunLog) -> tuple[int, int]:
    """=> (failed, left)."""
    tried = [
        log.attempts(*trial_key(policy.name, trial)) > 0
        for policy in plan.policies
        for trial in left_of(policy, plan.trials, log.done)
    ]
    return sum(tried), len(tried) - sum(tried)


def _opened(plan: EvaluationPlan, log: RunLog, batches: Batches) -> OpenRun:
    """With what earlier starts left, and what is said of the initial frames of what is left."""
    out = plan.config.out
    planned = len(plan.policies) * len(plan.trials)
    done = planned - sum(len(batch) for _, batch in batches)
    ran = waiting(out, log)
    charge(plan.judge, plan.config.payments or out, log.paid_usd)
    left = {t.task.name: t.task for _, batch in batches for t in batch}
    starts = start_flags(list(left.values()), plan.familiarity, plan.judge, plan.world.views)
    for name in plan.resized.keys() & starts.keys():
        starts[name] = (*starts[name], RESIZED)
    _say_what_is_there(out, done, planned)
    bench = Bench(plan.judge, RepeatedFailures())
    return OpenRun(plan, bench, log, starts, ran, FolderFiles(out))


def _run_what_is_left(run: OpenRun, batches: Batches, ending: Ending) -> None:
    begun = takewhile(lambda _: ending.goes_on(), batches)
    stall_minutes = run.plan.config.stall_minutes

    def write(run: OpenRun, records: Iterator[TrialRecord]) -> None:
        for record in records:
            run.log.append(record)
            dog.fed()

    with Watchdog(stall_minutes) as dog, BatchFinisher(run.plan, write) as finisher:
        trials = sum(len(batch) for _, batch in batches)
        shown = progress(begun, trials, "rolling out", "trial", size=lambda item: len(item[1]))
        for policy, batch in shown:
            finisher.roll_out(run, policy, batch)


def _run_elsewhere(
    run: OpenRun,
    batches: Batches,
    executor: Executor,
    load: Callable[[], EvaluationPlan],
    ending: Ending,
) -> None:
    """By workers. What ran in an earlier start and waits for its verdict is judged here, where its
    frames lie."""
    config = run.plan.config
    here = [(policy, batch) for policy, batch in batches if lies_on_disk(run, policy, batch)]
    _run_what_is_left(run, here, ending)
    there = [(policy, batch) for policy, batch in batches if not lies_on_disk(run, policy, batch)]
    place = {trial.key: i for i, trial in enumerate(run.plan.trials)}

    def job(number: int) -> BatchJob:
        policy, batch = there[number]
        return batch_job(run, policy.name, [place[trial.key] for trial in batch])

    jobs = MadeJobs(len(there), job)
    ending.wait_for_workers()
    watch = Watch(partial(say_lost, config.out), ending.goes_on, ending.workers_are_there)
    with (
        Watchdog(config.stall_minutes) as dog,
        BatchWriter(run, dog.fed) as writer,
        closing(executor.run(remote_setup(run, load), jobs, watch)) as done,
    ):
        trials = sum(len(batch) for _, batch in there)
        shown = progress(
            done, trials, "rolling out", "trial", size=lambda batch: len(there[batch.number][1])
        )
        for batch in shown:
            writer.put(jobs[batch.number], batch)
            if batch.result is not None and batch.result.stop is not None:
                raise batch.result.stop
    if ending.interrupted:
        raise KeyboardInterrupt


def _not_tried(run: OpenRun, batches: Batches, reason: str) -> Iterator[TrialRecord]:
    """A failed record of every trial that this start of the run has not come to."""
    for policy, batch in batches:
        for trial in batch:
            if not run.log.tried(*trial_key(policy.name, trial)):
                yield failed_record(run, policy.name, trial, reason)


def _say_share() -> None:
    """How many workers like this process could share its GPU."""
    share = gpu_share()
    if share is not None and share <= 0.5:
        print(
            f"worldgym: this took {share:.0%} of its GPU's memory at most; on a cluster "
            f"--gpus {share:.2f} lets {int(1 / share)} workers share one",
            file=sys.stderr,
        )


def _say_what_is_there(out: Path, done: int, planned: int) -> None:
    """Where a run continues, on standard error: otherwise it is unknown whether a table is new."""
    if done >= planned:
        print(f"{out}: all {planned} trials are finished; nothing to run", file=sys.stderr)
    elif done:
        print(f"{out}: {done} of {planned} trials are finished; the rest follows", file=sys.stderr)


def _say_what_is_mixed(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Frames of two engines in one run, as `other_engine` allows: on standard error."""
    began, goes_on = before.get(ENGINE_KEY), now.get(ENGINE_KEY)
    if began and goes_on and began != goes_on:
        print(f"{out}: began on {began}, and continues on {goes_on}", file=sys.stderr)
