"""The process that computes for the app. One that ended, whatever ended it, is replaced, and what
it had been asked is asked once more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from worldgym.io.child_processes import end_with_parent

T = TypeVar("T")


class FigureProcess:
    """Safe from several threads. It is started when it is first asked."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._closed = False
        self._lock = threading.RLock()  # an answer may be there before anybody waits for it

    def submit(self, make: Callable[..., T], *given: Any) -> Future[T]:
        """What `make` of those makes there, one after the other. BrokenProcessPool where the
        process ended twice over it."""
        answer = Future[T]()
        answer.set_running_or_notify_cancel()  # who no longer waits takes nothing from others
        self._ask(answer, partial(make, *given), again=True)
        return answer

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, answer: Future[T], work: Callable[[], T], again: bool) -> None:
        with self._lock:
            if self._closed:
                answer.set_exception(BrokenProcessPool("the app ends"))
                return
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, get_context("spawn"), end_with_parent)
            pool = self._pool
            try:
                asked = pool.submit(work)
            except BrokenProcessPool as error:  # it ended while nobody waited for it
                asked = Future()
                asked.set_exception(error)
        asked.add_done_callback(lambda done: self._hand_on(done, answer, pool, work, again))

    def _hand_on(
        self,
        done: Future[T],
        answer: Future[T],
        pool: ProcessPoolExecutor,
        work: Callable[[], T],
        again: bool,
    ) -> None:
        if done.cancelled():
            answer.set_exception(BrokenProcessPool("the app ends"))
            return
        error = done.exception()
        if isinstance(error, BrokenProcessPool):
            with self._lock:
                if self._pool is pool:
                    self._pool = None
            if again:
                self._ask(answer, work, again=False)
                return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(done.result())
