"""Denoising a chunk of frames behind a context of finished ones: the plain sampler and its fast twin.

`denoise_plain` recomputes the whole window at every network call; `denoise_cached` computes the frames in work only and
reads the finished ones from a `TemporalCache`. Causal attention makes both exact; a test holds them to 1e-4.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from worldgym.world.cache import TemporalCache
from worldgym.world.dit import DiT
from worldgym.world.noise import Schedule


@dataclass(frozen=True)
class SamplerConfig:
    """steps: network calls a frame.   cfg: guidance, 1 = off.   order: "pyramid" (frame i runs i steps behind frame 0; a chunk
    of h takes steps + h - 1 calls) or "parallel" (all frames of a chunk at one level).   window: frames the network sees at
    most.   keep: finished frames carried over when the next chunk does not fit; positions then restart at 0.
    """

    steps: int = 10
    cfg: float = 1.0
    order: str = "pyramid"
    window: int = 16
    keep: int = 8
    cached: bool = True


@dataclass(frozen=True)
class Context:
    """Finished frames of a window: latents [B, L, C, h, w], the actions that led to them [B, L, A], and the latents
    [B, C, h, w] of the frame that the rollout started from.
    """

    latents: Tensor
    actions: Tensor
    start: Tensor

    def after(self, count: int) -> Context:
        return Context(self.latents[:, count:], self.actions[:, count:], self.start)

    def append(self, latents: Tensor, actions: Tensor) -> Context:
        return Context(torch.cat([self.latents, latents], 1), torch.cat([self.actions, actions], 1), self.start)

    def last(self, count: int) -> Context:
        return Context(self.latents[:, -count:], self.actions[:, -count:], self.start)


def level_plan(schedule: Schedule, steps: int, chunk: int, order: str) -> Tensor:
    """[calls + 1, chunk] level of each frame before each network call, and after the last."""
    grid = schedule.grid(steps)
    calls = steps + (chunk - 1 if order == "pyramid" else 0)
    lag = torch.arange(chunk) if order == "pyramid" else torch.zeros(chunk, dtype=torch.long)
    return grid[(torch.arange(calls + 1)[:, None] - lag).clamp(0, steps)]


def guided(
    model: DiT, x: Tensor, level: Tensor, actions: Tensor, start: Tensor, cfg: float, cache: TemporalCache | None = None
) -> Tensor:
    """v of the conditional branch, or of both: v = v_null + cfg (v_cond - v_null), in one call of 2 B rows.

    With guidance a cache holds 2 B rows as well: conditional rows first.
    """
    if cfg == 1.0:
        return model(x, level, actions, start, cache)
    branches = torch.cat([actions, null_actions(actions)])
    both = model(torch.cat([x, x]), torch.cat([level, level]), branches, torch.cat([start, start]), cache)
    conditional, null = both.chunk(2)
    return null + cfg * (conditional - null)


def null_actions(actions: Tensor) -> Tensor:
    """Zeros with the last number 1: "no action known" (METHOD: null action)."""
    null = torch.zeros_like(actions)
    null[..., -1] = 1.0
    return null


def denoise_plain(
    model: DiT, schedule: Schedule, config: SamplerConfig, context: Context, noise: Tensor, actions: Tensor
) -> Tensor:
    """noise [B, h, C, h, w] and the actions that lead to the new frames [B, h, A] => finished latents [B, h, C, h, w]."""
    rows, chunk = noise.shape[:2]
    done, context_level = schedule.context(context.latents)
    done_level = noise.new_full(done.shape[:2], context_level)
    all_actions = torch.cat([context.actions, actions], 1)
    plan = level_plan(schedule, config.steps, chunk, config.order).to(noise.device)
    x = noise
    for now, after in pairwise(plan):
        level = now.expand(rows, chunk)
        window, levels = torch.cat([done, x], 1), torch.cat([done_level, level], 1)
        v = guided(model, window, levels, all_actions, context.start, config.cfg)[:, -chunk:]
        x = schedule.step(x, v, level, after.expand(rows, chunk))
    return x


def denoise_cached(
    model: DiT, schedule: Schedule, config: SamplerConfig, cache: TemporalCache, start: Tensor, noise: Tensor, actions: Tensor
) -> Tensor:
    """As `denoise_plain`, the context being what `cache` holds and `start`. The cache is left as it was: see `fill`."""
    rows, chunk = noise.shape[:2]
    plan = level_plan(schedule, config.steps, chunk, config.order).to(noise.device)
    x = noise
    for now, after in pairwise(plan):
        level = now.expand(rows, chunk)
        v = guided(model, x, level, actions, start, config.cfg, cache)
        x = schedule.step(x, v, level, after.expand(rows, chunk))
    return x


def fill(model: DiT, schedule: Schedule, config: SamplerConfig, cache: TemporalCache, frames: Context) -> None:
    """Stores finished frames: one pass at the context level whose keys and values are kept."""
    latents, level = schedule.context(frames.latents)
    levels = latents.new_full(latents.shape[:2], level)
    actions, start = frames.actions, frames.start
    if config.cfg != 1.0:
        latents, levels, start = (torch.cat([x, x]) for x in (latents, levels, start))
        actions = torch.cat([actions, null_actions(actions)])
    model(latents, levels, actions, start, cache)
    cache.advance(latents)
