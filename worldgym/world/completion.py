"""Views of an initial frame that were not recorded: generated from the given ones. The network was
trained on frames whose views have separate noise levels, and on partly given initial frames (see
`worldgym.train.view_noise`). So here the given views are clean, the others go from noise to a
picture, step by step, and both meet in the spatial blocks.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from worldgym.world.network import DiT
from worldgym.world.noise import FlowMatching, SigmoidV
from worldgym.world.view_latents import apart, stacked

COMPLETION_STEPS = 4  # at least: a distilled world takes fewer for its frames, learned by jumps


def draw_missing(
    network: DiT,
    schedule: FlowMatching | SigmoidV,
    steps: int,
    latents: Tensor,
    given: Tensor,
    noise: Tensor,
    actions: Tensor,
) -> Tensor:
    """latents [B, V, C, h, w] of the initial frame, clean where `given` [B, V]; noise of the same
    shape; actions [B, 1, A] as shown with an initial frame => the latents, all views clean."""
    clean, clean_level = schedule.context(latents)
    start = torch.where(_wide(given), latents, torch.zeros_like(latents))
    grid = schedule.grid(steps).to(latents.device)
    x = noise
    for now, after in pairwise(grid):
        level = now.expand(given.shape)
        shown = torch.where(_wide(given), clean, schedule.shown(x, level))
        shown_level = torch.where(given, clean_level, schedule.shown_level(level))
        v = network(stacked(shown)[:, None], shown_level[:, None], actions, stacked(start))
        x = schedule.step(x, apart(v[:, 0], latents.shape[1]), level, after.expand(given.shape))
    return torch.where(_wide(given), latents, x)


def _wide(given: Tensor) -> Tensor:
    return given[..., None, None, None]
