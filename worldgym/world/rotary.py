"""Rotary positions in the number format with which a network was trained.

A rotary table holds cosines and sines of angles. Published networks were trained with tables made
in bfloat16, step by step: frequencies, coordinates, angles, cosines. Pixel angles reach 402, where
bfloat16 has steps of 2, so that table is very different from the exact one; and a network trained
with it works worse with the exact one (docs/world-model.md)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from worldgym.world.attention import Turn, rotary_angles_1d, rotary_angles_2d, rotation

EXACT = "exact"
TABLES = (EXACT, "bfloat16", "float16")  # the number format in which a table is made
BASE = 10_000.0


def space_rotation(
    grid: tuple[int, int], head_dim: int, pixel: bool, tables: str, like: Tensor
) -> Turn:
    """For `worldgym.world.attention.rotate`, by place in a frame: [h w, head_dim] each.

    pixel: see `rotary_angles_2d`.   tables: one of TABLES.   like: of the dtype and device to
    use."""
    if tables == EXACT:
        return rotation(rotary_angles_2d(*grid, head_dim, pixel).to(like.device), like.dtype)
    made = getattr(torch, tables)
    half = head_dim // 4
    if pixel:
        frequencies = _linspace(1.0, 128.0, half, made) * math.pi
        places = [_linspace(-1.0, 1.0, size, made) for size in grid]
    else:
        frequencies = _standard(half, made)
        places = [torch.arange(size, dtype=made) for size in grid]
    rows, columns = torch.meshgrid(*places, indexing="ij")
    angles = torch.cat([rows[..., None] * frequencies, columns[..., None] * frequencies], -1)
    return _turn(angles.flatten(0, 1), like)


def time_rotation(places: Tensor, head_dim: int, tables: str, like: Tensor) -> Turn:
    """As `space_rotation`, by position in time: places int [L] => [L, head_dim] each."""
    if tables == EXACT:
        return rotation(rotary_angles_1d(places, head_dim), like.dtype)
    made = getattr(torch, tables)
    frequencies = _standard(head_dim // 2, made).to(places.device)
    return _turn(places.to(made)[:, None] * frequencies, like)


def _standard(count: int, made: torch.dtype) -> Tensor:
    """[count] frequencies from 1 down, to the base 10000."""
    return 1.0 / (BASE ** (torch.arange(count, dtype=made) / count))


def _linspace(start: float, end: float, count: int, made: torch.dtype) -> Tensor:
    """[count] as CUDA's `torch.linspace` rounds it, on which these networks were trained: the step
    first, then each number from the nearer end. The CPU's rounds differently."""
    first, last, ahead = torch.tensor(start, dtype=made), torch.tensor(end, dtype=made), count - 1
    step = (last - first) / ahead
    order = torch.arange(count, dtype=made)
    return torch.where(order < count // 2, first + step * order, last - step * (ahead - order))


def _turn(angles: Tensor, like: Tensor) -> Turn:
    """Cosines and sines in the format of the angles, then in that of `like`."""
    cos, sin = angles.cos(), angles.sin()
    both = torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)
    return both[0].to(like), both[1].to(like)
