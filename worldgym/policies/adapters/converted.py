"""A policy that speaks another convention than the world, where a conversion between the two is
stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from worldgym.actions.conventions import convention, convention_of
from worldgym.actions.convert import CONVERSIONS, convert_actions
from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.types import Actions, ActionSpec, Trial


class ConvertedPolicy:
    """`policy` with its actions converted from one named convention to another. Its state is the
    policy's own, and its rate:

    an action a fifth of a second long does not become one of a twentieth by changing units.
    """

    def __init__(self, policy: Policy[Any], source: str, target: str) -> None:
        self.name = policy.name
        self.spec = replace(convention(target), rate_hz=policy.spec.rate_hz)
        self.chunk = policy.chunk
        self.needs = policy.needs
        self._policy = policy
        self._names = (source, target)

    def reset(self, trials: Sequence[Trial]) -> list[Any]:
        return self._policy.reset(trials)

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        states, actions = self._policy.act(states, observations)
        return states, np.stack([convert_actions(chunk, *self._names) for chunk in actions])


def spoken_in(policy: Policy[Any], spec: ActionSpec | None) -> Policy[Any]:
    """The policy in the convention of `spec`, if that differs and a conversion is stated; else as
    it is."""
    if spec is None or policy.spec == spec:
        return policy
    source, target = convention_of(policy.spec), convention_of(spec)
    if (
        source is None
        or target is None
        or not {(source, target), (target, source)} & set(CONVERSIONS)
    ):
        return policy
    converted = ConvertedPolicy(policy, source, target)
    return converted if converted.spec == spec else policy
