"""A policy under another name: the checkpoints of one training, say, which are called alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worldgym.policies.adapters.refitted import changes_of
from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.types import Actions, Trial


class RenamedPolicy:
    """Acts as `policy` does."""

    def __init__(self, policy: Policy[Any], name: str) -> None:
        self.name = name
        self.spec = policy.spec
        self.chunk = policy.chunk
        self.needs = policy.needs
        self.changes = changes_of(policy)
        self._policy = policy

    def reset(self, trials: Sequence[Trial]) -> list[Any]:
        return self._policy.reset(trials)

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        return self._policy.act(states, observations)
