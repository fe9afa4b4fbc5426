"""What convolutions that carry the previous frame on (`worldgym.world.carrier`) see in training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from worldgym.train.view_noise import recorded_places
from worldgym.train.world_batches import Batch
from worldgym.world.network import DiT


@dataclass(frozen=True)
class Before:
    """Shares of the frames whose previous one is shown as noisy as it is, and as it was carried
    there."""

    unfinished: float = 0.2
    own: float = 0.4


BESIDE = Before()  # while the whole network is trained


def carried_frames(
    network: DiT,
    noisy: Tensor,
    start: Tensor,
    condition: Tensor,
    batch: Batch,
    generator: torch.Generator,
    rows: int,
    shown: Before = BESIDE,
) -> tuple[Tensor, Tensor]:
    """noisy [B, T, C, h, w], start [B, C, h, w] and condition [B, T, M] of the rows of this process
    => the frames carried on, [B, T, C, h, w], and where they should be the recorded ones, [B, T, 1,
    h, 1].

    The frame before each is the recorded one, because a rollout has finished it whatever the level
    of the next; or it was carried there itself, with the faults that brings; or it is as noisy as
    it is, as in a chunk whose frames are in work together.   rows: of the whole batch."""
    frames = noisy.shape[1]
    drawn = torch.rand(rows, frames, generator=generator)[batch.rows].to(noisy.device)
    recorded = recorded_places(batch.present, noisy.shape[-2])[:, 0].bool()  # [B, 1, h, 1]
    before = noisy[:, 0]
    known = torch.zeros(len(noisy), 1, 1, 1, dtype=torch.bool, device=noisy.device)
    carried, told = [], []
    for frame in range(frames):
        now = slice(frame, frame + 1)
        carried.append(network.carry(before[:, None], start, condition[:, now]))
        told.append(known & recorded)
        share = drawn[:, frame, None, None, None]
        finished = share >= shown.unfinished
        own = finished & (share < shown.unfinished + shown.own) & known
        clean = torch.where(
            own, carried[-1][:, 0].detach(), batch.latents[:, frame].to(noisy.dtype)
        )
        before = torch.where(finished & recorded, clean, noisy[:, frame])
        known = finished
    mask = batch.mask[..., None, None, None]
    return torch.cat(carried, dim=1), torch.stack(told, dim=1) * mask
