"""Names of episodes, made unique and usable as file names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from worldgym.io.text import clean


def distinct(names: Iterable[str]) -> list[str]:
    """The names in order and fit to be shown, one that was there before with a number behind it:
    "a", "a" => "a", "a-2"."""
    taken: dict[str, None] = {}
    for name in map(clean, names):
        number = 1
        free = name
        while free in taken:
            number += 1
            free = f"{name}-{number}"
        taken[free] = None
    return list(taken)


def file_names(names: Iterable[str]) -> list[str]:
    """Names of episodes as those of files: letters, digits, _ . + - alone, and no two alike."""
    return distinct(re.sub(r"[^\w.+-]", "_", name) for name in names)
