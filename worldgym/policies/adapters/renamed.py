"""A policy under another name: the checkpoints of one training, say, which are called alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worldgym.policies.policy_protocol import Needs, Observation, Policy
from worldgym.types import Actions, ActionSpec, Trial


@dataclass(frozen=True)
class Renamed:
    """Acts as `policy` does."""

    policy: Policy[Any]
    name: str

    @property
    def spec(self) -> ActionSpec:
        return self.policy.spec

    @property
    def chunk(self) -> int:
        return self.policy.chunk

    @property
    def needs(self) -> Needs:
        return self.policy.needs

    def reset(self, trials: Sequence[Trial]) -> list[Any]:
        return self.policy.reset(trials)

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        return self.policy.act(states, observations)
