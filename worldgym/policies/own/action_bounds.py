"""Actions in [-1, 1], as networks give them, and in the bounds of a spec; what a policy may
answer."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from worldgym.errors import WorldGymError
from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.types import Actions, ActionSpec

SLACK = 1e-3  # of the span between the bounds: rounding, which is clipped but not counted
BEYOND = (
    10.0  # spans outside the bounds from which on an action is no command but a fault of the policy
)
OUT_OF_BOUNDS = "actions out of bounds"  # flag of a trial
Outside = npt.NDArray[np.bool_]  # [B, h], of an answer: which actions lay outside the bounds


class PolicyFault(WorldGymError):
    """A policy answered with actions that no robot can take: an infrastructure failure, never a
    score."""


@runtime_checkable
class Bounding(Protocol):
    """An optional part of a policy that is made from another one: it takes the actions of that one
    within its bounds, as a robot would, and says which lay outside."""

    def act_within(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions, Outside]:
        """As `Policy.act`, and which of the actions are made from one that lay outside."""
        ...


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


def answer_of(
    policy: Policy[Any], states: Sequence[Any], observations: Sequence[Observation]
) -> tuple[list[Any], Actions]:
    """`policy.act`. PolicyFault where it returns something else than new states and an array."""
    answer: object = policy.act(states, observations)
    due = "it returns (new states, actions [B, chunk, A])"
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise PolicyFault(f"policy {policy.name}: act returned {_kind(answer)}; {due}")
    after, chunk = answer
    if not isinstance(after, Sized) or len(after) != len(observations):
        states_of = f"{_kind(after)} as states of {len(observations)} trials"
        raise PolicyFault(f"policy {policy.name}: act returned {states_of}; {due}")
    if not hasattr(chunk, "shape"):
        raise PolicyFault(f"policy {policy.name}: its actions are {_kind(chunk)}; {due}")
    return after, chunk  # type: ignore[return-value]  # of a length, as the states are


def _kind(value: object) -> str:
    """ "nothing", "a dict", "a tuple of 3"."""
    if value is None:
        return "nothing"
    size = f" of {len(value)}" if isinstance(value, Sized) else ""
    return f"a {type(value).__name__}{size}"


def commanded(
    chunk: Actions, shape: tuple[int, int, int], spec: ActionSpec, who: str
) -> tuple[Actions, Outside]:
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
    return within_bounds(chunk, spec)


def within_bounds(actions: Actions, spec: ActionSpec) -> tuple[Actions, Outside]:
    """[..., A] => (clipped to the bounds, which actions lay outside by more than rounding
    [...])."""
    low, high = _bounds(spec)
    outside = np.maximum(low - actions, actions - high)
    return np.clip(actions, low, high), (outside > SLACK * (high - low)).any(-1)


def acted(
    policy: Policy[Any], states: Sequence[Any], observations: Sequence[Observation]
) -> tuple[list[Any], Actions, Outside]:
    """A policy's answer => (its new states, the actions within its bounds, which of them lay
    outside these or those of a policy that it is made from). PolicyFault as of `commanded`."""
    within = None
    if isinstance(policy, Bounding):
        after, chunk, within = policy.act_within(states, observations)
    else:
        after, chunk = answer_of(policy, states, observations)
    due = (len(observations), policy.chunk, policy.spec.size)
    held, outside = commanded(chunk, due, policy.spec, f"policy {policy.name}")
    return after, held, outside if within is None else outside | within
