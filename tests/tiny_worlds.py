"""Worlds of random weights, small enough for tests, and the latents of their rollouts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from worldgym.actions.embodiment import Scaling
from worldgym.types import ActionSpec
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_config import WorldConfig

SPEC = ActionSpec(("x", "y"), "delta_pose", "1 m", "none", "none", (-1.0, -1.0), (1.0, 1.0), 10.0)


class TinyCodec:
    """8x8 pixels <=> latents [3, 8, 8]: exact up to rounding, so that the network alone is
    tested."""

    latent_shape, frame_shape, fingerprint, latents = (3, 8, 8), (8, 8, 3), "tiny", "tiny"

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.permute(0, 3, 1, 2).float() / 127.5 - 1.0

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return ((latents.permute(0, 2, 3, 1) + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def make_world(
    positions: str = "learned",
    schedule: str = "flow",
    views: tuple[bool, bool] = (True, True),
    scaling: Scaling | None = None,
    carrier_width: int = 0,
    direct_width: int = 0,
    **sampler: Any,
) -> DiffusionWorld:
    """A world of random weights, none of them zero: AdaLN-Zero would make every sampler agree.

    views: whether the network is shown the previous frame, and the initial frame.   scaling: of its
    actions.   carrier_width, direct_width: see `DiTConfig`."""
    torch.manual_seed(0)
    scaling = scaling or Scaling()
    size = DiTConfig(
        (3, 8, 8), width=32, pairs=2, heads=2, action_size=3 + 2 * scaling.sums, action_octaves=2
    )
    size = replace(size, previous_frame=views[0], initial_frame=views[1])
    size = replace(size, carrier_width=carrier_width, direct_width=direct_width)
    network = DiT(replace(size, positions=positions))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.08)
        for part in (network.carrier, network.direct):
            if part is not None:  # or a frame carried on by random weights would grow
                for parameter in part.let_through.parameters():
                    parameter.mul_(0.3)
    chosen = replace(SamplerConfig(steps=4, window=8, keep=4), **sampler)
    config = WorldConfig(SPEC, network.config, chosen, schedule, {}, "tiny", scaling=scaling)
    config.check()
    return DiffusionWorld(config, network, TinyCodec(), "tiny", torch.float32)


def latents_of(
    world: DiffusionWorld, rows: int, steps: int, chunk: int, seed: int = 0
) -> np.ndarray:
    """Latents [B, steps, C, h, w] of a rollout, gathered from the states (pixels would hide small
    differences)."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (rows, 1, 8, 8, 3)).astype(np.uint8)
    actions = rng.uniform(-1, 1, (rows, steps, 2)).astype(np.float32)
    state, pieces = world.reset(frames, list(range(rows))), []
    for start in range(0, steps, chunk):
        size = min(chunk, steps - start)
        state, _ = world.step(state, actions[:, start : start + size])
        pieces.append(state.context.latents[:, -size:])
    return torch.cat(pieces, 1).numpy()
