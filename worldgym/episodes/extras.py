"""What an episode contains besides frames and actions, kept in step with them.

A list in the extras that is as long as the frames belongs to them, one entry each ("success_at",
"distance"); one as long as the actions belongs to those. "expert" holds actions, in the convention
of the episode's own. Axes legend: N frames, M actions, A action numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from worldgym.types import Actions

EXPERT = "expert"  # what an expert would have done at each step: labels for behaviour cloning


def selected_extras(
    extras: Mapping[str, Any],
    counts: tuple[int, int],
    frames: Sequence[int],
    actions: Sequence[int],
) -> dict[str, Any]:
    """Of some of the frames and some of the actions.   counts: (N, M) before. Where both are one, a
    list belongs to the frames."""
    numbers = dict(zip(reversed(counts), (actions, frames), strict=True))
    return {
        key: [value[i] for i in numbers[len(value)]]
        if isinstance(value, list) and len(value) in numbers
        else value
        for key, value in extras.items()
    }


def expert_actions(extras: Mapping[str, Any]) -> dict[str, Any]:
    """The expert's actions alone; {} where there are none."""
    return {key: value for key, value in extras.items() if key == EXPERT}


def with_expert(
    extras: Mapping[str, Any], actions: Actions, change: Callable[[Actions], Actions]
) -> dict[str, Any]:
    """actions: of the episode, float32 [M, A].   change: of the expert's, in the same form. Extras
    without such actions stay as they are."""
    told = extras.get(EXPERT)
    count, size = actions.shape
    rows = told if isinstance(told, list) else []
    if len(rows) != count or [len(row) for row in rows if isinstance(row, list)] != [size] * count:
        return dict(extras)
    return {**extras, EXPERT: change(np.asarray(rows, np.float32)).tolist()}
