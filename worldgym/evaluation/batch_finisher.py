"""Videos, verdicts and log lines of one batch, while the next is rolled out. The order of the log
is the same as without overlap: a batch is finished only after the one before, and a batch with a
trial that must be repeated waits for its turn. So only the time depends on the overlap. What was
rolled out and not yet finished when a run stops is rolled out again by its next start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, Generic, TypeVar

import torch

from worldgym.evaluation.batch_records import OpenRun, lies_on_disk, rolled_out, run_batch
from worldgym.evaluation.plan import EvaluationPlan
from worldgym.io.run_records import TrialRecord
from worldgym.io.user_code import Failure
from worldgym.io.waiting import awaited
from worldgym.policies.policy_protocol import Policy
from worldgym.types import Rollout, Trial

R = TypeVar("R")


class BatchFinisher(Generic[R]):
    """As a context: finishes batches in the order in which they are given, in one thread beside the
    caller's.

    take: what is done with the records of a batch, as they come.   overlap: False for the slow
    twin, one batch after the other.
    """

    def __init__(
        self,
        plan: EvaluationPlan,
        take: Callable[[OpenRun, Iterator[TrialRecord]], R],
        overlap: bool = True,
    ) -> None:
        # a judge that is asked while trials run is not asked beside them too
        self._overlap = overlap and plan.stop is None
        self._take = take
        # with more threads its operations would wait for cores that the world computes on
        self._beside = ThreadPoolExecutor(1, "finish", torch.set_num_threads, (1,))
        self._before: Future[R] | None = None
        self._stopped = False
        self._writing = Lock()

    def __enter__(self) -> BatchFinisher[R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Ctrl-C does not wait for a judge; nothing is taken after it."""
        interrupted = kind is not None and not issubclass(kind, Exception)
        with self._writing:
            self._stopped = interrupted
        self._beside.shutdown(wait=not interrupted, cancel_futures=interrupted)
        if kind is None:
            self._wait()

    def roll_out(self, run: OpenRun, policy: Policy[Any], batch: list[Trial]) -> Future[R]:
        """Rolls a batch out, and leaves it to be finished: what `take` will have made of it. Raises
        what ended the batch before."""
        if lies_on_disk(run, policy, batch):
            return self._alone(run, policy, batch, None)
        rolled = rolled_out(run.plan, policy, batch)
        if isinstance(rolled, Failure) or not self._overlap:
            return self._alone(run, policy, batch, rolled)
        self._wait()
        self._before = self._beside.submit(self._finish, run, policy, batch, rolled)
        return self._before

    def _alone(
        self,
        run: OpenRun,
        policy: Policy[Any],
        batch: list[Trial],
        rolled: list[Rollout] | Failure | None,
    ) -> Future[R]:
        """Trials that are rolled out again, or not at all: with nothing beside."""
        self._wait()
        done: Future[R] = Future()
        done.set_result(self._finish(run, policy, batch, rolled))
        return done

    def _finish(
        self,
        run: OpenRun,
        policy: Policy[Any],
        batch: list[Trial],
        rolled: list[Rollout] | Failure | None,
    ) -> R:
        return self._take(run, self._until_stopped(run_batch(run, policy, batch, rolled)))

    def _until_stopped(self, records: Iterator[TrialRecord]) -> Iterator[TrialRecord]:
        for record in records:
            with self._writing:  # until the record is taken
                if self._stopped:
                    return
                yield record

    def _wait(self) -> None:
        before = self._before
        self._before = None
        if before is not None:
            awaited(before)
