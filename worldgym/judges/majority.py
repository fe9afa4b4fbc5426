"""What most of those said who could tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def most_said(said: Iterable[T | None]) -> tuple[T, int] | None:
    """What was said more often than anything else, and how often; None for a tie, and where nothing
    was said. A None among them is somebody who could not tell, and counts for nothing."""
    counted = Counter(one for one in said if one is not None).most_common(2)
    if not counted or (len(counted) == 2 and counted[0][1] == counted[1][1]):
        return None
    return counted[0]
