"""Results and exceptions come as they are, and a wait begins again now and then."""

from __future__ import annotations

import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import pytest

from worldgym.io import waiting
from worldgym.io.waiting import awaited


def test_results_and_exceptions_come_as_they_are() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert awaited(pool.submit(lambda: 3)) == 3
        with pytest.raises(TimeoutError, match="its own"):
            awaited(pool.submit(fails))
    cancelled: Future[int] = Future()
    cancelled.cancel()
    cancelled.set_running_or_notify_cancel()
    with pytest.raises(CancelledError):
        awaited(cancelled)


def fails() -> None:
    raise TimeoutError("its own")


def test_a_wait_begins_again_until_there_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = list[float]()

    def counted(futures: tuple[Future[int], ...], seconds: float) -> object:
        begun.append(seconds)
        return real(futures, seconds)

    real = waiting.wait
    monkeypatch.setattr(waiting, "EVERY", 0.01)
    monkeypatch.setattr(waiting, "wait", counted)
    with ThreadPoolExecutor(1) as pool:
        awaited(pool.submit(time.sleep, 0.2))
    assert len(begun) > 1
