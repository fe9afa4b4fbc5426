"""How much the error of each place of a frame counts: what moves, and what must stay."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from worldgym.train.world_train_config import WorldTrainConfig


def place_weight(x: Tensor, start: Tensor, config: WorldTrainConfig) -> Tensor:
    """x [B, T, C, h, w], start [B, C, h, w] => [B, T, 1, h, w]: the loss weight of each place, by
    what moves there and what must stay."""
    moving = motion_weight(x, start, config.motion_weight)
    return moving + still_weight(x, start, config.still_weight)


def motion_weight(x: Tensor, start: Tensor, extra: float) -> Tensor:
    """x [B, T, C, h, w], start [B, C, h, w] => [B, T, 1, h, w]: 1 where a place looks as in the
    last frame and in the initial frame, up to 1 + extra where it differs much from either.
    """
    moved = torch.cat([x[:, 1:2] - x[:, :1], x[:, 1:] - x[:, :-1]], 1)
    change, changed = (
        d.square().mean(2, keepdim=True).sqrt() for d in (moved, x - start.float()[:, None])
    )
    return 1.0 + extra * torch.maximum(change, changed).clamp(max=1.0)


def still_weight(x: Tensor, start: Tensor, extra: float) -> Tensor | float:
    """x [B, T, C, h, w], start [B, C, h, w] => [B, T, 1, h, w]: 0 where a place has changed, is
    plain or has nothing changed near it, up to `extra` where a thing that stands out from its
    surroundings stays as it was while something moves within two places of it.

    This trains a world not to redraw objects that a hand passes over."""
    if not extra:
        return 0.0
    changed = (x - start.float()[:, None]).square().mean(2).sqrt().clamp(max=1.0)  # [B, T, h, w]
    near = functional.max_pool2d(changed, 5, stride=1, padding=2)
    around = functional.avg_pool2d(start.float(), 5, stride=1, padding=2, count_include_pad=False)
    distinct = (start.float() - around).square().mean(1).sqrt().clamp(max=1.0)[:, None]
    return extra * ((1.0 - changed) * near * distinct)[:, :, None]
