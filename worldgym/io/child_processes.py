"""Processes that this one has started, and that leave the end to it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from types import FrameType

SHARED = {signal.SIGINT, signal.SIGTERM}  # that a terminal or a scheduler sends to all processes


@contextmanager
def started_deaf() -> Iterator[None]:
    """A process that is started meanwhile does not hear these signals until it calls
    `leave_signals_to_parent`: not while it loads its modules either."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SHARED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_signals_to_parent() -> None:
    """In the child, whose parent ends it or lets it finish. A handler that does nothing, unlike an
    ignored signal, is not passed on to programs that the child starts."""

    def nothing(number: int, frame: FrameType | None) -> None:
        pass

    for number in SHARED:
        signal.signal(number, nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SHARED)


def end_with_parent() -> None:
    """In the child: it ends when its parent does, however that ends, and whatever it does then."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
