"""Keys of actions, states and cameras: those a format usually has, those a user names, and what
their names say."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from worldgym.errors import InputError
from worldgym.types import Actions

ACTION = ("action", "actions")
_NO_PICTURE = re.compile(
    r"(?<![A-Za-z])(depth|seg|segmentation)(?![a-z])|(Depth|Segmentation)(?![a-z])"
)


def wanted(
    named: str, usual: Sequence[str], there: Collection[str], what: str, option: str, where: object
) -> list[str]:
    """The keys to read: those named, joined by commas, or the first usual one. [] where no usual
    one is there.

    InputError where a named one is not there, with those that are.
    """
    if not named:
        return [key for key in usual if key in there][:1]
    keys = [key.strip() for key in named.split(",") if key.strip()]
    if absent := [key for key in keys if key not in there]:
        raise InputError(
            f'{where}: has no {what} "{absent[0]}"; {option} names one of '
            f"{listed_keys(there) or 'nothing'}"
        )
    return keys


def side_by_side(keys: Sequence[str], arrays: Mapping[str, Actions], where: object) -> Actions:
    """float32 [N, k]: the columns of several arrays [N, ...] side by side. InputError where they
    differ in length."""
    tables = [
        arrays[key].reshape(len(arrays[key]), -1) if arrays[key].ndim else arrays[key].reshape(1, 1)
        for key in keys
    ]
    if len({len(table) for table in tables}) > 1:
        lengths = ", ".join(f"{key} {len(table)}" for key, table in zip(keys, tables, strict=True))
        raise InputError(
            f"{where}: the arrays are of different lengths ({lengths}); name arrays of equal length"
        )
    return np.hstack(tables)


def listed_keys(keys: Collection[str], most: int = 30) -> str:
    """A list for a message, cut where it is long."""
    names = sorted(keys)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def no_picture(key: str) -> bool:
    """Whether a camera's name says that it shows depth or segments, as "observation.images.depth"
    and "wristDepth" do."""
    return bool(_NO_PICTURE.search(key))
