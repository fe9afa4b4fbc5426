"""The majority of the answers from those who could tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def most_said(said: Iterable[T | None]) -> tuple[T, int] | None:
    """The most frequent answer, and how often it was given; None for a tie, and without answers. A
    None among them means "cannot tell" and is not counted."""
    counted = Counter(one for one in said if one is not None).most_common(2)
    if not counted or (len(counted) == 2 and counted[0][1] == counted[1][1]):
        return None
    return counted[0]
