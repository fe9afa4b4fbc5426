"""Actions in [-1, 1], the form networks speak, and in the bounds of a spec."""

from __future__ import annotations

import numpy as np

from worldgym.types import Actions, ActionSpec


def from_unit(unit: Actions, spec: ActionSpec) -> Actions:
    """[-1, 1] => the bounds of the spec, number by number."""
    low, high = np.asarray(spec.low, np.float32), np.asarray(spec.high, np.float32)
    return (low + (unit + 1.0) * 0.5 * (high - low)).astype(np.float32)


def to_unit(actions: Actions, spec: ActionSpec) -> Actions:
    """The inverse of `from_unit`, clipped to [-1, 1]."""
    low, high = np.asarray(spec.low, np.float32), np.asarray(spec.high, np.float32)
    return np.clip(2.0 * (actions - low) / (high - low) - 1.0, -1.0, 1.0).astype(np.float32)
