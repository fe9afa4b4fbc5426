"""What is special in learning several views: noise levels of their own, views that were not
recorded, and initial frames that are known in part.

In half of the frames every view has its own noise level, in the others all share one, as in a
rollout. A view that an episode lacks is pure noise, at the highest level, and has no weight in the
loss: the network learns to work without it, and is never trained to invent it. Some of the existing
views are dropped from the initial frame at random, as for a task that has only the main view; and
the initial frame itself is completed, see `completion_loss`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from worldgym.train.world_batches import Batch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.conditioning import at_rest
from worldgym.world.network import DiT
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


def recorded_places(present: Tensor, rows: int) -> Tensor:
    """present bool [B, V] => [B, 1, 1, V h, 1]: 1 in the views that were recorded.   rows: V h."""
    return present.repeat_interleave(rows // present.shape[1], 1)[:, None, None, :, None].float()


def completion_loss(
    network: DiT,
    schedule: FlowMatching | SigmoidV,
    batch: Batch,
    config: WorldTrainConfig,
    generator: torch.Generator,
) -> Tensor:
    """Mean squared error of v in the further views of an initial frame, given only its clean main
    view: what `worldgym.world.completion.draw_missing` asks for, and what clips from the middle of
    an episode hardly ever show."""
    views = batch.present.shape[1]
    x = apart(batch.start.float(), views)
    draws = config.batch, *x.shape[1:]
    mine, device = batch.rows, x.device
    level = schedule.sample_levels(draws[:2], generator)[mine].to(device)
    eps = torch.randn(draws, generator=generator)[mine].to(device)
    main = torch.zeros_like(batch.present)
    main[:, 0] = True
    clean, clean_level = schedule.context(x)
    wide = main[..., None, None, None]
    noisy = schedule.shown(schedule.add_noise(x, eps, level), level)
    told = torch.where(main, clean_level, schedule.shown_level(level))
    dtype = next(network.parameters()).dtype
    shown = stacked(torch.where(wide, clean, noisy))[:, None].to(dtype)
    known = stacked(torch.where(wide, x, torch.zeros_like(x))).to(dtype)
    actions = at_rest(len(x), config.network.action_size, config.conditioning).to(device)
    condition = network.condition(told[:, None], actions, batch.robots)
    with torch.no_grad():  # no frame is before the initial one, so there is nothing to learn
        carried = network.carry(shown, known, condition)
    v = network.denoise(shown, condition, known, carried=carried)
    error = (apart(v[:, 0].float(), views) - schedule.target(x, eps, level)).square()
    weight = schedule.loss_weight(level) * (batch.present & ~main)
    return (error * weight[..., None, None, None]).mean()
