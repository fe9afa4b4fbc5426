"""A policy with another action convention than the world, if a conversion between the two is
registered. Example: examples/policies/converted.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from worldgym.actions.conventions import convention, convention_of
from worldgym.actions.convert import CONVERSIONS, conversion_in_words, convert_actions
from worldgym.actions.moves_and_targets import MOVES, no_way
from worldgym.actions.sound_spec import fault_of_spec
from worldgym.errors import InputError
from worldgym.policies.adapters.refitted import SAME, ResampledPolicy, TargetingPolicy
from worldgym.policies.adapters.wrapped import WrappedPolicy
from worldgym.policies.policy_protocol import Policy
from worldgym.types import ActionSpec


def converted(policy: Policy[Any], source: str, target: str) -> Policy[Any]:
    """With its actions converted from one named convention to another. Its rate stays: changing
    units does not turn an action of a fifth of a second into one of a twentieth."""
    return WrappedPolicy(
        policy,
        spec=replace(convention(target), rate_hz=policy.spec.rate_hz),
        change=conversion_in_words(source, target),
        rework=lambda actions: np.stack(
            [convert_actions(chunk, source, target) for chunk in actions]
        ),
    )


def spoken_in(policy: Policy[Any], spec: ActionSpec | None) -> Policy[Any]:
    """The policy in the convention of `spec`, if that differs and it can be converted: a registered
    conversion, moves as targets, another rate. Otherwise unchanged; the caller compares the two.
    InputError if only the rates differ and cannot be converted, and for a spec that cannot be."""
    if spec is None or policy.spec == spec:
        return policy
    if fault := fault_of_spec(policy.spec):
        raise InputError(f"policy {policy.name}: {fault}")
    told = _converted(policy, spec)
    rated = replace(told.spec, rate_hz=spec.rate_hz, low=spec.low, high=spec.high) == spec
    if rated and abs(told.spec.rate_hz / spec.rate_hz - 1.0) > SAME:
        told = ResampledPolicy(told, spec)
    return told if told.spec == spec else policy


def _converted(policy: Policy[Any], spec: ActionSpec) -> Policy[Any]:
    """With the names, mode and unit of `spec`, if it can be converted; its rate stays."""
    source, target = convention_of(policy.spec), convention_of(spec)
    if (
        source is not None
        and target is not None
        and {(source, target), (target, source)} & set(CONVERSIONS)
    ):
        return converted(policy, source, target)
    if no_way(policy.spec, spec) is None:
        faster = policy.spec.rate_hz / spec.rate_hz > 1.0 + SAME
        if faster and spec.mode == MOVES:  # each move is clipped as the world takes it
            policy = ResampledPolicy(policy, replace(policy.spec, rate_hz=spec.rate_hz))
        return TargetingPolicy(policy, spec)
    return policy
