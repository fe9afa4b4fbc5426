"""Names that files of earlier versions hold => the names that are written now. This is the only
place that knows the old ones; whoever opens such a file sees the new ones.

Files themselves are never rewritten, so a checkpoint keeps its fingerprint and logs keep naming it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# config.json of a checkpoint, at any depth
CONFIG_KEYS = {"start_frame": "initial_frame"}


def renamed_keys(data: Any, names: Mapping[str, str]) -> Any:
    """JSON data with the keys of its objects renamed at any depth; values stay as they are."""
    if isinstance(data, Mapping):
        return {names.get(key, key): renamed_keys(value, names) for key, value in data.items()}
    if isinstance(data, list):
        return [renamed_keys(value, names) for value in data]
    return data


def migrated_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """config.json of a checkpoint, with the present names."""
    found: dict[str, Any] = renamed_keys(config, CONFIG_KEYS)
    return found
