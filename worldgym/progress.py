"""Progress of anything over two seconds: a bar on a terminal, else a line every half minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
EVERY = 30.0  # seconds between two lines where standard error is no terminal


def progress(
    items: Iterable[T],
    total: int,
    what: str,
    unit: str = "it",
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """Yields the items, and says on standard error how far it is. clock: seconds."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=what, unit=unit, delay=2.0, leave=False)
        return
    started = said = clock()
    for done, item in enumerate(items):
        if (now := clock()) - said >= EVERY:
            said, took = now, now - started
            print(f"{what}: {done} of {total} ({unit}), {took:.0f} s", file=sys.stderr, flush=True)
        yield item
