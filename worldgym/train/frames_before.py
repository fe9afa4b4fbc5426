"""What convolutions that carry the previous frame on (`worldgym.world.carrier`) see in training."""

from __future__ import annotations

import torch
from torch import Tensor

from worldgym.train.view_noise import recorded_places
from worldgym.train.world_batches import Batch
from worldgym.train.world_train_config import WorldTrainConfig

# share of the frames whose previous one is shown clean to convolutions that carry it on, but for
# noise of up to so much
KNOWN_BEFORE = 0.8
FAULTS = 0.2


def known_before(
    noisy: Tensor, batch: Batch, config: WorldTrainConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """noisy [B, T, C, h, w] => what is shown as each frame's previous one: mostly the clean one,
    which a rollout of one frame after another has, with a little noise, as its own frames have
    faults. And where that is so, and both were recorded, [B, T, 1, h, 1]: what is carried on from
    there has to be the frame."""
    shape = config.batch, noisy.shape[1] - 1
    wide = (*shape, 1, 1, 1)
    known = torch.rand(wide, generator=generator) < KNOWN_BEFORE
    fault = FAULTS * torch.rand(wide, generator=generator)
    fault = fault * torch.randn(*shape, *noisy.shape[2:], generator=generator)
    clean = batch.latents[:, :-1] + fault[batch.rows].to(noisy.device)
    recorded = recorded_places(batch.present, noisy.shape[-2])
    told = known[batch.rows].to(noisy.device) * recorded
    shown = torch.where(told.bool(), clean.to(noisy.dtype), noisy[:, :-1])
    told = torch.cat([torch.zeros_like(told[:, :1]), told], dim=1)
    mask = batch.mask[..., None, None, None]
    return torch.cat([noisy[:, :1], shown], dim=1), told * mask
