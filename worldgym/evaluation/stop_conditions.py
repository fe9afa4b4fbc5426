"""When a run must end early: its time is over, or the system asks the process to end."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from worldgym.errors import Unfinished
from worldgym.io.text import amount

Handler = Callable[[int, FrameType | None], None]


def unfinished(left: int) -> Unfinished:
    """What a command ends with that did not begin so many trials."""
    return Unfinished(
        f"not started: {amount(left, 'trial')}; the same command continues from there"
    )


class Terminated(KeyboardInterrupt):
    """SIGTERM while no run is under way that would finish its work first."""


class Ending:
    """minutes: after which no batch is begun; None = no limit."""

    def __init__(self, minutes: float | None) -> None:
        self._until = None if minutes is None else time.monotonic() + 60.0 * minutes
        self._minutes = minutes
        self._reason = ""
        self.interrupted = False

    def wait_for_workers(self) -> None:
        """The time begins with `workers_are_there`: what takes longer to load than the limit would
        otherwise never begin a batch, however often it is started again."""
        self._until = None

    def workers_are_there(self) -> None:
        if self._minutes is not None and self._until is None:
            self._until = time.monotonic() + 60.0 * self._minutes

    def goes_on(self) -> bool:
        """Whether another batch may begin. Says once on standard error why not."""
        if not self._reason and self._until is not None and time.monotonic() > self._until:
            self.end(f"{self._minutes:g} minutes are over")
        return not self._reason

    @property
    def ended(self) -> bool:
        """Whether it has said so."""
        return bool(self._reason)

    def end(self, reason: str) -> None:
        self._reason = reason
        print(
            f"worldgym: {reason}; running work is finished, and the same command continues from "
            f"there",
            file=sys.stderr,
            flush=True,
        )


@contextmanager
def ended_by_signals(ending: Ending, interrupt: bool) -> Iterator[None]:
    """SIGTERM ends the run after what is begun. interrupt: the first Ctrl-C too; the second stops
    at once. Elsewhere than in the main thread signals stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminated(number: int, frame: FrameType | None) -> None:
        ending.end("the system asked this process to end (SIGTERM)")

    def interrupted(number: int, frame: FrameType | None) -> None:
        if ending.interrupted:
            raise KeyboardInterrupt
        ending.interrupted = True
        ending.end("Ctrl-C (once more stops at once)")

    asked: dict[int, Handler] = {signal.SIGTERM: terminated}
    if interrupt:
        asked[signal.SIGINT] = interrupted
    with _handled(asked):
        yield


@contextmanager
def terminated_at_once() -> Iterator[None]:
    """SIGTERM raises `Terminated` here, as Ctrl-C raises KeyboardInterrupt: for all that a command
    does before, between and after its runs. Elsewhere than in the main thread it stays as it is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminated(number: int, frame: FrameType | None) -> None:
        raise Terminated

    with _handled({signal.SIGTERM: terminated}):
        yield


@contextmanager
def _handled(asked: Mapping[int, Handler]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in asked.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
