"""Recorded frames made to look like a world model's: blurred, coarse, noisy, with slightly
different brightness and position.

A judge reads generated video but learns from recorded video; without this it mistakes a model's
blur for a change of the scene."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from worldgym.types import Frames

# noise images drawn a batch, shared by its rows: drawing one per row cost more than the network
NOISES = 16
LATENT = 8  # pixels a latent cell: errors of a video model come in patches of this size


def degrade(frames: Frames, strength: float, rng: np.random.Generator) -> Frames:
    """uint8 [B, H, W, 3] => the same, each row with its own random mixture. strength 0 = unchanged,
    1 = as trained with."""
    if strength == 0.0:
        return frames
    n, factors = len(frames), rng.integers(1, 4, len(frames))  # a third stays sharp
    x = torch.from_numpy(frames).permute(0, 3, 1, 2).float().contiguous()
    for factor in (2, 3):
        rows = torch.from_numpy(np.flatnonzero(factors == factor))
        x[rows] = torch.lerp(
            x[rows],
            _coarse(x[rows], factor),
            _column(strength * rng.random(len(rows))).clamp(max=1.0),
        )
    fine = _normal((NOISES, *x.shape[1:]), rng)
    coarse = _normal((n, 3, x.shape[2] // LATENT, x.shape[3] // LATENT), rng)
    x.addcmul_(
        fine[torch.from_numpy(rng.integers(0, NOISES, n))],
        _column(strength * rng.uniform(0.0, 8.0, n)),
    )
    x.add_(
        F.interpolate(
            coarse * _column(strength * rng.uniform(0.0, 8.0, n)), size=x.shape[2:], mode="bilinear"
        )
    )
    contrast = 1.0 + strength * rng.uniform(-0.1, 0.1, n)
    brightness = strength * rng.uniform(-12.0, 12.0, n)
    x.mul_(_column(contrast)).add_(_column(brightness + 128.0 * (1.0 - contrast)))
    return x.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def _coarse(x: Tensor, factor: int) -> Tensor:
    """Resolution divided by `factor` and drawn up again."""
    return F.interpolate(F.avg_pool2d(x, factor, ceil_mode=True), size=x.shape[2:], mode="bilinear")


def _column(values: np.ndarray[tuple[int], np.dtype[np.floating | np.bool_]]) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))[:, None, None, None]


def _normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, np.float32))
