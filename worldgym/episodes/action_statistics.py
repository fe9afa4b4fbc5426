"""Statistics of action numbers: what normalisation needs and what an inspection shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.files import write_json
from worldgym.types import Actions

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
Statistics = dict[str, list[float]]


def number_statistics(values: Actions) -> Statistics:
    """[M, A], M > 0 => mean, std (of the population), min, max and quantiles, A numbers each."""
    if values.ndim != 2 or not len(values):
        raise ValueError(f"statistics need [M, A] with M > 0, not {values.shape}")
    wide = values.astype(np.float64)
    out = {
        "mean": wide.mean(axis=0),
        "std": wide.std(axis=0),
        "min": wide.min(axis=0),
        "max": wide.max(axis=0),
    }
    out |= dict(zip(QUANTILES, np.quantile(wide, list(QUANTILES.values()), axis=0), strict=True))
    return {name: [float(x) for x in row] for name, row in out.items()}


def write_statistics(store: EpisodeStore) -> Path:
    """STORE/statistics.json: names and statistics of all actions of the store; the videos are not
    touched."""
    actions = [store.actions(info.name) for info in store]
    if not actions:
        raise InputError(
            f"{store.root}: the store holds no episode, so there is nothing to measure"
        )
    path = store.root / "statistics.json"
    counts = {"episodes": len(actions), "actions": sum(map(len, actions))}
    write_json(
        path,
        {**counts, "names": list(store.spec.names), **number_statistics(np.concatenate(actions))},
    )
    return path
