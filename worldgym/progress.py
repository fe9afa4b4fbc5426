"""A progress bar on anything over two seconds, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], total: int, what: str, unit: str = "it") -> Iterator[T]:
    """Yields the items; draws a bar on standard error after two seconds if it is a terminal."""
    yield from tqdm(items, total=total, desc=what, unit=unit, delay=2.0, disable=not sys.stderr.isatty(), leave=False)
