"""Rollouts => verdicts, and what the log keeps of them. A judge that fails on one rollout does not
affect the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from worldgym.errors import BudgetSpent, JudgeStopped, WorldGymError
from worldgym.io.run_records import TrialRecord
from worldgym.io.user_code import Failure, attempt
from worldgym.io.waiting import awaited
from worldgym.judges.judge_protocol import Checking, Judge, Paying, check_judged_views
from worldgym.stats.repeated_failures import RepeatedFailures
from worldgym.types import Rollout, Task, Verdict

S = TypeVar("S")
T = TypeVar("T")


def judge_each(judge: Judge, rollouts: Sequence[Rollout]) -> Iterator[Verdict | Failure]:
    """One verdict per rollout, in order, timed, up to `judge.concurrency` at once.

    After the first BudgetSpent or JudgeStopped no other rollout is begun; all that have no verdict
    then are Failures for its reason, and it is raised after the last of them.
    """
    ends: list[BudgetSpent | JudgeStopped] = []

    def timed(rollout: Rollout) -> Verdict:
        started = time.perf_counter()
        verdict = judge(rollout, rollout.trial.task)
        return replace(verdict, seconds=time.perf_counter() - started)

    def judged(rollout: Rollout) -> Verdict | Failure:
        if ends:
            return Failure(str(ends[0]), type(ends[0])(str(ends[0])))
        try:
            return attempt(lambda: timed(rollout))
        except (BudgetSpent, JudgeStopped) as end:
            ends.append(end)
            return Failure(str(end), end)

    yield from at_once(judged, rollouts, judge.concurrency)
    if ends:
        raise ends[0]


def prepare(judge: Judge, tasks: Iterable[Task], views: Sequence[str]) -> None:
    """Lets a judge that can look for what it could not judge. InputError names it.   views: of the
    videos."""
    check_judged_views(judge, views)
    if isinstance(judge, Checking):
        judge.check(list(tasks))


def charge(judge: Judge, folder: Path, paid_usd: float = 0.0) -> None:
    """Lets a judge that pays continue with what was paid for the run of this folder so far."""
    if isinstance(judge, Paying):
        judge.charge(folder, paid_usd)


def at_once(call: Callable[[S], T], items: Sequence[S], count: int) -> Iterator[T]:
    """Results in order, `count` calls at a time. Ctrl-C does not wait for calls that are on their
    way: that may take minutes."""
    if count == 1:
        yield from map(call, items)
        return
    pool = ThreadPoolExecutor(count)
    try:
        yield from map(awaited, [pool.submit(call, item) for item in items])
    finally:  # whoever stops listening, by Ctrl-C between two results too, does not wait
        pool.shutdown(wait=False, cancel_futures=True)


def paid(failure: Failure) -> float:
    """US dollars for the answers that a judge had before it broke."""
    return failure.error.paid_usd if isinstance(failure.error, WorldGymError) else 0.0


def scores(judge: Judge, rollouts: Sequence[Rollout]) -> list[float | None]:
    """The score of each, None where the judge declined or broke."""
    return [
        None if isinstance(verdict, Failure) else verdict.score
        for verdict in judge_each(judge, rollouts)
    ]


def note_failure(repeated: RepeatedFailures, verdict: Verdict | Failure) -> None:
    """Counts how often in a row judging broke for one reason; what ends it of itself is no such
    failure. SameFailure where that is too often."""
    if not isinstance(verdict, Failure):
        repeated.note(None)
    elif not isinstance(verdict.error, BudgetSpent | JudgeStopped):
        repeated.note(verdict.reason)


@dataclass(frozen=True)
class Bench:
    """A judge, and how often in a row it broke for one reason."""

    judge: Judge
    repeated: RepeatedFailures


def judged_records(
    bench: Bench,
    rollout: Rollout,
    verdict: Verdict | Failure,
    known: Callable[[], dict[str, Any]],
    last_attempt: int,
) -> Iterator[TrialRecord]:
    """The lines of one rollout: a judge that broke is asked again, until the attempt of that
    number. SameFailure, after the line, where it breaks again and again.

    known: the record's fields that do not come from the verdict, `timing` among them, asked for
    again for each line, because attempts are counted. The time of the rollout stands in the last
    line alone.
    """
    retried = False
    while isinstance(verdict, Failure):
        fields = known()
        ends = isinstance(verdict.error, BudgetSpent | JudgeStopped)
        last = ends or fields["attempt"] >= last_attempt
        kept = fields if last else {**fields, "seconds": 0.0, "timing": {}}
        yield TrialRecord(
            **kept, failure_reason=verdict.reason, judge=bench.judge.name, paid_usd=paid(verdict)
        )
        if not ends:
            bench.repeated.note(verdict.reason)
        if ends and retried:
            raise verdict.error
        if last:
            return
        retried = True
        verdict = next(judge_each(bench.judge, [rollout]))
    bench.repeated.note(None)
    fields = known()
    yield TrialRecord(
        **{**fields, "timing": {**fields["timing"], "judge": round(verdict.seconds, 6)}},
        score=verdict.score,
        reason=verdict.reason,
        probability=verdict.probability,
        progress=verdict.progress,
        curve=verdict.curve,
        judge=verdict.judge,
        votes=verdict.votes,
        cost_usd=verdict.cost_usd,
        paid_usd=verdict.paid_usd,
        provenance=verdict.provenance,
    )
