"""What is special in learning several views: noise levels of their own, views that were not
recorded, and initial frames that are known in part.

In half of the frames every view has its own noise level, in the others all share one, as in a
rollout. A view that an episode was recorded without is noise alone, at the highest level, and
counts for nothing in the loss: the network learns what it means not to know it, and never what to
invent. Of the views that are there some are dropped from the initial frame at random, as where a
task brings the main view alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from worldgym.world.noise import FlowMatching, SigmoidV
from worldgym.world.view_latents import apart, stacked

OWN_LEVELS = 0.5  # share of the frames whose views have levels of their own
START_DROPOUT = 0.3  # share of the further views that the initial frame is shown without


@dataclass(frozen=True)
class ViewNoise:
    """Of a batch. level: [B, T, V].   noisy, target: [B, T, C, V h, w].   weight: [B, T, 1, V h,
    1].   start: [B, C, V h, w], what of the initial frame is shown."""

    level: Tensor
    noisy: Tensor
    target: Tensor
    weight: Tensor
    start: Tensor


def view_noise(
    schedule: FlowMatching | SigmoidV,
    latents: Tensor,
    start: Tensor,
    eps: Tensor,
    present: Tensor,
    draws: ViewDraws,
) -> ViewNoise:
    """latents, eps [B, T, C, V h, w], start [B, C, V h, w], present bool [B, V].   draws: see
    `draw_levels`."""
    views = present.shape[1]
    x = apart(latents, views)
    e = apart(eps, views)
    there = present[:, None].expand(draws.level.shape)
    level = torch.where(there, draws.level, schedule.grid(1)[0].to(latents.device))
    noisy = torch.where(there[..., None, None, None], schedule.add_noise(x, e, level), e)
    weight = (schedule.loss_weight(level) * there)[..., None, None, None]
    shown = (present & ~draws.dropped)[..., None, None, None]
    return ViewNoise(
        level,
        stacked(noisy),
        stacked(schedule.target(x, e, level)),
        stacked(weight.expand(*weight.shape[:3], 1, x.shape[-2], 1)),
        stacked(apart(start, views) * shown),
    )


@dataclass(frozen=True)
class ViewDraws:
    """level: [B, T, V] of each view of each frame.   dropped: bool [B, V], not shown of the initial
    frame."""

    level: Tensor
    dropped: Tensor

    def rows(self, mine: slice, device: torch.device) -> ViewDraws:
        """Those of one process."""
        return ViewDraws(self.level[mine].to(device), self.dropped[mine].to(device))


def draw_levels(
    schedule: FlowMatching | SigmoidV,
    shape: tuple[int, int],
    views: int,
    generator: torch.Generator,
) -> ViewDraws:
    """shape: (B, T) of the whole batch."""
    common = schedule.sample_levels(shape, generator)
    own = schedule.sample_levels((*shape, views), generator)
    apart_ = torch.rand(shape, generator=generator) < OWN_LEVELS
    dropped = torch.rand((shape[0], views), generator=generator) < START_DROPOUT
    dropped[:, 0] = False
    return ViewDraws(torch.where(apart_[..., None], own, common[..., None]), dropped)
