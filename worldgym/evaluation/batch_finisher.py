"""Videos, verdicts and log lines of one batch, while the next is rolled out. The order of the log
is the same as without overlap: a batch is finished only after the one before, and a batch with a
trial that must be repeated waits for its turn. So only the time depends on the overlap. What was
rolled out and not yet finished when a run stops is rolled out again by its next start."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

import torch

from worldgym.evaluation.batch_records import OpenRun, lies_on_disk, rolled_out, run_batch
from worldgym.io.user_code import Failure
from worldgym.policies.policy_protocol import Policy
from worldgym.types import Rollout, Trial


class BatchFinisher:
    """As a context: finishes batches in the order in which they are given, in one thread beside the
    caller's.

    finished: called after every line of the log.   overlap: False for the slow twin, one batch
    after the other.
    """

    def __init__(self, run: OpenRun, finished: Callable[[], object], overlap: bool = True) -> None:
        self._run = run
        # a judge that is asked while trials run is not asked beside them too
        self._overlap = overlap and run.plan.stop is None
        self._finished = finished
        # with more threads its operations would wait for cores that the world computes on
        self._beside = ThreadPoolExecutor(1, "finish", torch.set_num_threads, (1,))
        self._before: Future[None] | None = None
        self._stopped = False
        self._writing = Lock()

    def __enter__(self) -> BatchFinisher:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Ctrl-C does not wait for a judge; the log gets no line after it."""
        interrupted = kind is not None and not issubclass(kind, Exception)
        with self._writing:
            self._stopped = interrupted
        self._beside.shutdown(wait=not interrupted, cancel_futures=interrupted)
        if kind is None:
            self._wait()

    def roll_out(self, policy: Policy[Any], batch: list[Trial]) -> None:
        """Rolls a batch out, and leaves it to be finished. Raises what ended the batch before."""
        if lies_on_disk(self._run, policy, batch):
            self._alone(policy, batch, None)
            return
        rolled = rolled_out(self._run.plan, policy, batch)
        if isinstance(rolled, Failure) or not self._overlap:
            self._alone(policy, batch, rolled)
            return
        self._wait()
        self._before = self._beside.submit(self._finish, policy, batch, rolled)

    def _alone(
        self, policy: Policy[Any], batch: list[Trial], rolled: list[Rollout] | Failure | None
    ) -> None:
        """Trials that are rolled out again, or not at all: with nothing beside."""
        self._wait()
        self._finish(policy, batch, rolled)

    def _finish(
        self, policy: Policy[Any], batch: list[Trial], rolled: list[Rollout] | Failure | None
    ) -> None:
        for record in run_batch(self._run, policy, batch, rolled):
            with self._writing:
                if self._stopped:
                    return
                self._run.log.append(record)
            self._finished()

    def _wait(self) -> None:
        before = self._before
        self._before = None
        if before is not None:
            before.result()
