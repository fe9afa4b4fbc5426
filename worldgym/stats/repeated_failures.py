"""Failures that repeat: a run in which everything breaks for one reason stops, and says so, instead
of trying to the end."""

from __future__ import annotations

import re

from worldgym.errors import SameFailure

LIMIT = 10  # equal failures in a row
# words with a digit: counts, times, the server's name for a request
_VARIES = re.compile(r"[\w-]*\d[\w-]*")


def reason_kind(reason: str) -> str:
    """What reasons have in common that differ only in words with digits."""
    return _VARIES.sub("#", reason)


class RepeatedFailures:
    """Of equal failures, one after another. What one policy, server or judge does; make one for
    each run."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kind = ""
        self._count = 0

    def note(self, failure_reason: str | None) -> None:
        """Counts one attempt; None = it worked. SameFailure at the `limit`-th equal reason in a
        row.

        Reasons are equal if they are of one kind.
        """
        kind = "" if failure_reason is None else reason_kind(failure_reason)
        self._count = 0 if failure_reason is None else self._count + 1 if kind == self._kind else 1
        self._kind = kind
        if failure_reason is not None and self._count >= self._limit:
            raise SameFailure(self._count, failure_reason)
