"""Rollouts => verdicts, and what the log keeps of them. A judge that breaks on one rollout does not touch the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from worldgym.foreign import Failure, attempt
from worldgym.judges.protocol import Judge
from worldgym.log import TrialRecord
from worldgym.types import Rollout, Verdict

S = TypeVar("S")
T = TypeVar("T")


def judge_each(judge: Judge, rollouts: Sequence[Rollout]) -> Iterator[Verdict | Failure]:
    """One verdict a rollout, in order, timed, up to `judge.concurrency` at once. BudgetSpent and JudgeStopped end it."""

    def timed(rollout: Rollout) -> Verdict:
        started = time.perf_counter()
        verdict = judge(rollout, rollout.trial.task)
        return replace(verdict, seconds=time.perf_counter() - started)

    yield from at_once(lambda rollout: attempt(lambda: timed(rollout)), rollouts, judge.concurrency)


def at_once(call: Callable[[S], T], items: Sequence[S], count: int) -> Iterator[T]:
    """Results in order, `count` calls at a time. Ctrl-C does not wait for calls that are on their way: that may take minutes."""
    if count == 1:
        yield from map(call, items)
        return
    pool = ThreadPoolExecutor(count)
    try:
        yield from pool.map(call, items)
    finally:  # whoever stops listening, by Ctrl-C between two results too, does not wait
        pool.shutdown(wait=False, cancel_futures=True)


def scores(judge: Judge, rollouts: Sequence[Rollout]) -> list[float | None]:
    """The score of each, None where the judge declined or broke."""
    return [None if isinstance(verdict, Failure) else verdict.score for verdict in judge_each(judge, rollouts)]


def judged_records(
    judge: Judge, rollout: Rollout, verdict: Verdict | Failure, known: Callable[[], dict[str, Any]], last_attempt: int
) -> Iterator[TrialRecord]:
    """The lines of one rollout: a judge that broke is asked again, until the attempt of that number.

    known: the record's fields that do not come from the verdict, `timing` among them, asked for anew for each line, for attempts
    are counted. The time of the rollout stands in the last line alone.
    """
    while isinstance(verdict, Failure):
        fields = known()
        if fields["attempt"] >= last_attempt:
            yield TrialRecord(**fields, failure_reason=verdict.reason, judge=judge.name)
            return
        yield TrialRecord(**{**fields, "seconds": 0.0, "timing": {}}, failure_reason=verdict.reason, judge=judge.name)
        verdict = next(judge_each(judge, [rollout]))
    fields = known()
    yield TrialRecord(
        **{**fields, "timing": {**fields["timing"], "judge": round(verdict.seconds, 6)}},
        score=verdict.score,
        reason=verdict.reason,
        probability=verdict.probability,
        progress=verdict.progress,
        judge=verdict.judge,
        votes=verdict.votes,
        cost_usd=verdict.cost_usd,
        paid_usd=verdict.paid_usd,
        provenance=verdict.provenance,
    )
