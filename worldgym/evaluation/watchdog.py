"""Ends a process that makes no progress: a policy's server that never answers would otherwise hold
a run forever."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

STALLED = 3  # exit code


class Watchdog:
    """With `minutes` above 0, a thread that ends the process (exit code 3) when `fed` was not
    called for so long.

    There is no gentler way to leave a call that hangs in somebody else's code; the log is whole
    after every line, so the same command continues from there.
    """

    def __init__(self, minutes: float, leave: Callable[[int], object] = os._exit) -> None:
        self._seconds = 60.0 * minutes
        self._leave = leave
        self._last = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def fed(self) -> None:
        """Something was finished."""
        self._last = time.monotonic()

    def __enter__(self) -> Watchdog:
        self.fed()
        if self._seconds > 0:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def _watch(self) -> None:
        while not self._done.wait(min(self._seconds / 4, 5.0)):
            if time.monotonic() - self._last > self._seconds:
                said = (
                    f"nothing was finished for {self._seconds / 60:g} minutes; stopped, and the "
                    f"same command continues from there"
                )
                print(f"worldgym: {said}", file=sys.stderr, flush=True)
                self._leave(STALLED)
                return
