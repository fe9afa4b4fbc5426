"""Behaviour cloning from one frame and an instruction: a network small enough to ship with the
code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from worldgym.io.checkpoint import load_folder
from worldgym.io.network_weights import with_weights
from worldgym.io.records import from_mapping
from worldgym.policies.image_trunk import Trunk, TrunkConfig, head
from worldgym.policies.own.action_bounds import from_unit
from worldgym.policies.own.network_policy import ActionNet, NetworkPolicy, network_inputs
from worldgym.policies.policy_protocol import Observation
from worldgym.types import Actions, ActionSpec, Trial

KIND = "bc"


@dataclass(frozen=True)
class BCConfig:
    """size: (H, W) of the frames, multiples of 8.   actions: numbers per action, A.   chunk:
    actions predicted at once, h.

    execute: actions of a chunk that are carried out before the policy observes again; 0 = all.
    cameras: names of the views that it sees; () = the main one.
    """

    size: tuple[int, int] = (96, 96)
    actions: int = 4
    chunk: int = 1
    hidden: int = 256
    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    execute: int = 0
    cameras: tuple[str, ...] = ()

    @property
    def executed(self) -> int:
        return min(self.execute, self.chunk) if self.execute else self.chunk


class BCNet(ActionNet):
    """frames uint8 [B, H, W, 3 V], features float [B, buckets] => actions [B, h, A] in [-1, 1]."""

    config: BCConfig

    def __init__(self, config: BCConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config.trunk)
        self.head = head(config.trunk.out, config.hidden, config.chunk * config.actions)

    def forward(self, frames: Tensor, features: Tensor) -> Tensor:
        answer = self.head(self.trunk(frames, features))
        return torch.tanh(answer.float()).view(-1, self.config.chunk, self.config.actions)

    def loss(
        self,
        frames: Tensor,
        features: Tensor,
        wanted: Tensor,
        mask: Tensor,
        rng: np.random.Generator,
    ) -> Tensor:
        """Smooth L1 against chunks [B, h, A] where the mask [B, h] is 1. Draws nothing from
        `rng`."""
        error = F.smooth_l1_loss(self(frames, features), wanted, beta=0.2, reduction="none").mean(
            -1
        )
        return (error * mask).sum() / mask.sum()


class BCPolicy(NetworkPolicy[BCNet]):
    """A trained network behind the policy seam. No memory between calls: its state is None."""

    kind = KIND

    def reset(self, trials: Sequence[Trial]) -> list[None]:
        return [None] * len(trials)

    @torch.no_grad()
    def act(
        self, states: Sequence[None], observations: Sequence[Observation]
    ) -> tuple[list[None], Actions]:
        """=> (states, float32 [B, h, A]). InputError if a frame is not of the size trained on."""
        frames, features = network_inputs(self.name, observations, self.net.config)
        device = self.net.trunk.film.weight.device
        unit = self.net(frames.to(device), features.to(device)).cpu().numpy()
        return list(states), from_unit(unit[:, : self.chunk], self.spec)

    @staticmethod
    def load(folder: Path, device: str = "cpu") -> BCPolicy:
        """CheckpointError if the folder is incomplete, altered or not a behaviour-cloning
        policy."""
        config, tensors = load_folder(folder, KIND)
        net = with_weights(BCNet(from_mapping(BCConfig, config["net"])), tensors, folder)
        spec = from_mapping(ActionSpec, config["spec"])
        return BCPolicy(net.to(device), spec, config["name"])
