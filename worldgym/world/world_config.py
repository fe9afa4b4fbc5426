"""What `config.json` of a world's checkpoint says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from worldgym.actions.embodiment import READERS, Scaling
from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import CONFIG
from worldgym.io.records import from_mapping
from worldgym.types import ONE_VIEW, ActionSpec
from worldgym.world.conditioning import check_shown
from worldgym.world.network_config import DiTConfig
from worldgym.world.noise import FlowMatching, SigmoidV, make_schedule
from worldgym.world.rotary import EXACT, TABLES
from worldgym.world.sampler import SamplerConfig

KIND = "world"


@dataclass(frozen=True)
class WorldConfig:
    """schedule: "flow" or "sigmoid_v" with its settings.   codec: fingerprint of the codec the
    latents came from; "" where it is not known (an imported world), and any codec of the right
    shape is taken.
    conditioning: how actions are shown, "sum" or "action": see
    `worldgym.world.conditioning.conditioning`. scaling: of the actions, before they are shown.
    views: names of the cameras, the main one first.
    """

    spec: ActionSpec
    network: DiTConfig
    sampler: SamplerConfig
    schedule: str
    schedule_settings: dict[str, float]
    codec: str
    conditioning: str = "sum"
    scaling: Scaling = field(default_factory=Scaling)
    views: tuple[str, ...] = ONE_VIEW

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "kind": KIND,
            "spec": self.spec.to_json(),
            "scaling": self.scaling.to_json(),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> WorldConfig:
        """CheckpointError for a field that does not fit."""
        try:
            return from_mapping(WorldConfig, data, readers=READERS, more=True)
        except InputError as error:
            raise CheckpointError(f"{CONFIG} of the world: {error}") from error

    def make_schedule(self) -> FlowMatching | SigmoidV:
        return make_schedule(self.schedule, **self.schedule_settings)

    def check(self) -> None:
        """CheckpointError where the parts do not fit each other."""
        check_shown(self.conditioning, self.spec.size, self.network.action_size, self.scaling.sums)
        if len(self.views) != self.network.cameras:
            raise CheckpointError(
                f"the world names the views {', '.join(self.views)}, but its network draws "
                f"{self.network.cameras}; copy the checkpoint again"
            )
        if self.network.rotary_tables not in TABLES:
            raise CheckpointError(
                f'no rotary tables "{self.network.rotary_tables}": a checkpoint names one of '
                f"{', '.join(TABLES)}"
            )
        if self.network.rotary_tables != EXACT and self.sampler.rule == "rolling":
            raise CheckpointError(
                f"the rule rolling counts positions in time without end, and rotary tables in "
                f"{self.network.rotary_tables} hold those of one window: choose the rule "
                f"recompute, or import the checkpoint with --rotary-tables exact"
            )
        if self.network.positions == "learned" and self.sampler.window > self.network.window:
            raise CheckpointError(
                f"the sampler's window of {self.sampler.window} frames is longer than the "
                f"{self.network.window} over which the "
                "network has learned positions: choose a shorter window"
            )
