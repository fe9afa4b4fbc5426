"""Networks of random weights and any size, a codec that takes no time, and a state whose window is
full: what is timed where weights and pictures do not matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from worldgym.world.context import Context
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.world_state import WorldState


@dataclass(frozen=True)
class BlankCodec:
    """Implements `Codec`: all its latents are zero, all its pictures one black pixel."""

    latent_shape: tuple[int, int, int]
    frame_shape: tuple[int, int, int] = (1, 1, 3)
    fingerprint: str = ""
    latents: str = ""

    def encode(self, frames: Tensor) -> Tensor:
        return torch.zeros(len(frames), *self.latent_shape, device=frames.device)

    def decode(self, latents: Tensor) -> Tensor:
        shape = (len(latents), *self.frame_shape)
        return torch.zeros(shape, dtype=torch.uint8, device=latents.device)


def random_network(
    config: DiTConfig, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> DiT:
    """The same at every call. It does something: new networks begin as identity."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # large ones are never in memory twice
    torch.manual_seed(0)
    try:
        with torch.no_grad(), torch.device(device):
            network = DiT(config)
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.02)
    finally:
        torch.set_default_dtype(before)
    return network


def full_state(world: DiffusionWorld, rows: int, chunk: int) -> WorldState:
    """A state whose window is full once a chunk is added; the same numbers on every device."""
    c = world.config
    length = c.sampler.window - chunk
    like = next(world.network.parameters())
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(rows, length, *c.network.stacked_shape, generator=generator).to(like)
    actions = torch.zeros(rows, length, c.network.action_size, device=like.device)
    moved = np.zeros((rows, c.scaling.sums, c.spec.size), np.float32)
    context = Context(latents, actions, latents[:, 0])
    return WorldState(context, None, 0, tuple(range(rows)), length, moved)
