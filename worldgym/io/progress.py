"""Progress of anything over two seconds: a bar on a terminal, otherwise a line every half
minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from threading import Event, Thread
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
EVERY = 30.0  # seconds between two lines where standard error is no terminal


def progress(
    items: Iterable[T], total: int, what: str, unit: str = "it", every: float = EVERY
) -> Iterator[T]:
    """Yields the items, and says on standard error how far it is.

    every: seconds between two lines, which come while an item takes long too: a batch of rollouts
    may take minutes."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=what, unit=unit, delay=2.0, leave=False)
        return
    started = time.monotonic()
    done = 0
    over = Event()

    def say() -> None:
        while not over.wait(every):
            print(
                f"{what}: {done} of {total} ({unit}), {time.monotonic() - started:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    teller = Thread(target=say, name="progress", daemon=True)
    teller.start()
    try:
        for item in items:
            yield item
            done += 1
    finally:
        over.set()
        teller.join()
