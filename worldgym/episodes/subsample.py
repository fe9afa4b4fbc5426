"""Selects a few of many, evenly spaced."""

from __future__ import annotations

import numpy as np


def evenly_spaced(length: int, most: int) -> list[int]:
    """At most this many of the places 0 to length - 1, in order, from the first to the last and
    evenly apart; of one, the first."""
    return [
        int(place) for place in np.unique(np.linspace(0, length - 1, min(most, length)).round())
    ]
