"""A policy whose answers are changed, and that otherwise acts the same: under another name, in
other units, or with fewer rows of an answer executed. Example: examples/policies/wrapped.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from worldgym.policies.own.action_bounds import Outside, acted
from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.types import Actions, ActionSpec, Trial

M = TypeVar("M")


@runtime_checkable
class Refitted(Protocol):
    """changes: what was changed of a policy's actions, in words."""

    changes: tuple[str, ...]


def changes_of(policy: Policy[Any]) -> tuple[str, ...]:
    return policy.changes if isinstance(policy, Refitted) else ()


def own_spec_of(policy: Policy[Any]) -> ActionSpec:
    """What the actions of the policy itself mean, before anything was changed."""
    spec: ActionSpec = getattr(policy, "own_spec", policy.spec)
    return spec


def rows_of_an_action(policy: Policy[Any]) -> int:
    """Rows of an answer that carry out one action of the policy that it is made from: only all of
    them together are what that policy meant."""
    parts: int = getattr(policy, "parts", 1)
    return parts


@dataclass(frozen=True)
class Remembered(Generic[M]):
    """What is remembered of a trial whose actions are told otherwise.

    own: the policy's state.   known: what is remembered before the last answer, and after each of
    its actions.   step: of the trial when it was given."""

    own: Any
    known: tuple[M, ...]
    step: int = 0

    def after(self, step: int) -> M:
        """What is remembered at a step of the trial. The rest of the answer was not executed: more
        than its actions until then would be a motion that was never made."""
        return self.known[min(max(step - self.step, 0), len(self.known) - 1)]


def act_and_tell(
    policy: Policy[Any],
    states: Sequence[Remembered[M]],
    observations: Sequence[Observation],
    tell: Callable[[M, Actions], tuple[M, Actions, Outside]],
) -> tuple[list[Remembered[M]], Actions, Outside]:
    """An answer of `policy`, within its bounds, told otherwise, action by action.

    tell: (what is remembered, an action [1, A]) => what is remembered after it, the action as it is
    told, and whether that had to be clipped [1]."""
    inner, actions, outside = acted(policy, [state.own for state in states], observations)
    after, told = [], []
    for b, (own, state, seen) in enumerate(zip(inner, states, observations, strict=True)):
        known = [state.after(seen.step)]
        rows = []
        for t, action in enumerate(actions[b][:, None]):
            then, row, beyond = tell(known[-1], action)
            known.append(then)
            rows.append(row)
            outside[b, t] |= beyond[0]
        after.append(Remembered(own, tuple(known), seen.step))
        told.append(np.concatenate(rows))
    return after, np.stack(told), outside


class WrappedPolicy:
    """Acts as `policy` does, whose state is its own."""

    def __init__(
        self,
        policy: Policy[Any],
        name: str | None = None,
        spec: ActionSpec | None = None,
        chunk: int | None = None,
        change: str = "",
        rework: Callable[[Actions], Actions] = lambda actions: actions,
    ) -> None:
        """name, spec, chunk: the policy's own, or others.   change: in words, for the log.
        rework: an answer [B, h, A] => what is carried out of it, from its first action on."""
        self.name = policy.name if name is None else name
        self.spec = spec or policy.spec
        self.chunk = chunk or policy.chunk
        self.needs = policy.needs
        self.parts = rows_of_an_action(policy)
        self.own_spec = own_spec_of(policy)
        self.changes = (*changes_of(policy), *((change,) if change else ()))
        self._policy = policy
        self._rework = rework

    def reset(self, trials: Sequence[Trial]) -> list[Any]:
        return self._policy.reset(trials)

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        return self.act_within(states, observations)[:2]

    def act_within(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions, Outside]:
        states, actions, outside = acted(self._policy, states, observations)
        reworked = self._rework(actions)
        return states, reworked, outside[:, : reworked.shape[1]]


def renamed(policy: Policy[Any], name: str) -> Policy[Any]:
    """Under another name, for example for checkpoints of one training that have the same name."""
    return WrappedPolicy(policy, name=name)


def committed(policy: Policy[Any], rows: int) -> Policy[Any]:
    """With another number of rows of each answer executed before it observes again. That is another
    policy, and its name says so."""
    return WrappedPolicy(
        policy,
        name=f"{policy.name}+commit{rows}of{policy.chunk}",
        chunk=rows,
        change=f"{rows} of {policy.chunk} actions of an answer executed",
        rework=lambda actions: actions[:, :rows],
    )
