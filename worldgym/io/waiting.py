"""Waiting for other threads so that Ctrl-C is noticed."""

from __future__ import annotations

from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")
EVERY = 0.5  # seconds


def awaited(future: Future[T]) -> T:
    """`future.result()`. A signal that arrives just before the main thread begins a wait without an
    end would be heeded at its end only, so this one begins again now and then."""
    while not wait((future,), EVERY).done:
        pass
    return future.result()
