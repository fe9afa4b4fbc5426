"""A training of seconds: latents that shift by the first number of an action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from worldgym.actions.embodiment import Embodiment
from worldgym.testing import FAKE_SPEC
from worldgym.train.latent_shards import LatentEpisodes, join
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig


class Codec:
    latent_shape, frame_shape, fingerprint, latents = (2, 4, 4), (4, 4, 3), "none", "none"

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        raise AssertionError("training must not encode")

    decode = encode


def episodes(count: int = 6, steps: int = 9) -> list[LatentEpisodes]:
    """Latents that shift by the first action number: something to learn."""
    rng = np.random.default_rng(0)
    actions = [rng.uniform(-1, 1, (steps, FAKE_SPEC.size)).astype(np.float32) for _ in range(count)]
    moves = [np.vstack([np.zeros((1, 1)), np.cumsum(a[:, :1], 0)]) for a in actions]
    latents = np.concatenate(
        [np.broadcast_to(m[..., None, None], (steps + 1, 2, 4, 4)) for m in moves]
    ).astype(np.float16)
    return [join(latents, actions, Embodiment("fake", FAKE_SPEC))]


def config(out: Path, steps: int = 6, **changes: object) -> WorldTrainConfig:
    network = DiTConfig(
        (2, 4, 4), width=32, pairs=1, heads=2, action_size=2 * FAKE_SPEC.size + 1, window=8
    )
    optimizer = OptimizerConfig(steps=steps, lr=3e-3, muon_lr=3e-3, warmup=2, ema=0.9)
    base = WorldTrainConfig(
        out,
        network,
        optimizer,
        SamplerConfig(steps=2, window=6, keep=3),
        batch=4,
        frames=6,
        save_every=3,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def quiet(step: int, anything: object) -> None:
    pass


def interrupted(loss_of: Callable[..., Callable[[int], torch.Tensor]], at: int) -> Any:
    """What makes the same losses, and is ended by Ctrl-C before that step."""

    def breaking(*given: Any) -> Callable[[int], torch.Tensor]:
        loss = loss_of(*given)

        def of(step: int) -> torch.Tensor:
            if step == at:
                raise KeyboardInterrupt
            return loss(step)

        return of

    return breaking


class Stop(Exception):
    pass


def stop(step: int, worlds: object) -> None:
    raise Stop
