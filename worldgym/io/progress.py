"""Progress of anything over two seconds: a bar on a terminal, otherwise a line every half
minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread, Timer
from typing import TypeVar

from tqdm import tqdm

from worldgym.io.text import amount

T = TypeVar("T")
EVERY = 30.0  # seconds between two lines where standard error is no terminal


def progress(
    items: Iterable[T],
    total: int,
    what: str,
    unit: str = "item",
    every: float = EVERY,
    size: Callable[[T], int] = lambda _: 1,
) -> Iterator[T]:
    """Yields the items, and says on standard error how far it is.

    size: of an item, in units; `total` counts these too.   every: seconds between two lines, which
    come while an item takes long too: a batch of rollouts may take minutes."""
    if sys.stderr.isatty():
        with tqdm(total=total, desc=what, unit=unit, delay=2.0, leave=False) as bar:
            for item in items:
                yield item
                bar.update(size(item))
        return
    started = time.monotonic()
    done = 0
    over = Event()

    def say() -> None:
        while not over.wait(every):
            print(
                f"{what}: {done} of {amount(total, unit)}, {time.monotonic() - started:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    teller = Thread(target=say, name="progress", daemon=True)
    teller.start()
    try:
        for item in items:
            yield item
            done += size(item)
    finally:
        over.set()
        teller.join()


@contextmanager
def told_if_slow(what: str, after: float = 2.0) -> Iterator[None]:
    """Says on standard error what is being done, if it takes longer than `after` seconds."""
    timer = Timer(after, lambda: print(what, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
