"""Actions in [-1, 1], as networks give them, and in the bounds of a spec; what a policy may
answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from worldgym.errors import WorldGymError
from worldgym.types import Actions, ActionSpec

SLACK = 1e-3  # of the span between the bounds: rounding, which is clipped but not counted
BEYOND = (
    10.0  # spans outside the bounds from which on an action is no command but a fault of the policy
)
OUT_OF_BOUNDS = "actions out of bounds"  # flag of a trial


class PolicyFault(WorldGymError):
    """A policy answered with actions that no robot can take: an infrastructure failure, never a
    score."""


def _bounds(spec: ActionSpec) -> tuple[Actions, Actions]:
    """(lowest, highest) of each number, float32 [A]."""
    return np.asarray(spec.low, np.float32), np.asarray(spec.high, np.float32)


def from_unit(unit: Actions, spec: ActionSpec) -> Actions:
    """[-1, 1] => the bounds of the spec, number by number."""
    low, high = _bounds(spec)
    return (low + (unit + 1.0) * 0.5 * (high - low)).astype(np.float32)


def to_unit(actions: Actions, spec: ActionSpec) -> Actions:
    """The inverse of `from_unit`, clipped to [-1, 1]."""
    low, high = _bounds(spec)
    return np.clip(2.0 * (actions - low) / (high - low) - 1.0, -1.0, 1.0).astype(np.float32)


def commanded(
    chunk: Actions, shape: tuple[int, int, int], spec: ActionSpec, who: str
) -> tuple[Actions, npt.NDArray[np.bool_]]:
    """A policy's answer [B, h, A] => (as a robot's controller takes it, clipped to the bounds;
    which actions lay outside [B, h]).

    shape: the one that is due.   who: names the policy. PolicyFault for another shape, for numbers
    that are not finite, and for those more than ten times the span between the bounds outside them.
    """
    if chunk.shape != shape:
        raise PolicyFault(f"{who} returned actions of shape {chunk.shape} where {shape} are due")
    if not np.isfinite(chunk).all():
        raise PolicyFault(f"{who} returned actions that are not finite numbers")
    low, high = _bounds(spec)
    outside = np.maximum(low - chunk, chunk - high)
    if (outside > BEYOND * (high - low)).any():
        at = np.unravel_index(np.argmax(outside), outside.shape)
        bounds = f"{spec.low[at[-1]]:g} to {spec.high[at[-1]]:g}"
        raise PolicyFault(
            f"{who} returned {chunk[at]:g} for {spec.names[at[-1]]}, whose bounds are {bounds}: "
            f"its unit or scale is wrong"
        )
    return np.clip(chunk, low, high), (outside > SLACK * (high - low)).any(-1)
