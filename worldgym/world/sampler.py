"""Denoising a chunk of frames behind a context of finished ones: the plain sampler and its fast twin.

`Denoiser.plain` recomputes the whole window at every network call; `Denoiser.cached` computes the frames in work only and
reads the finished ones from a `TemporalCache`. Causal attention makes both exact; a test holds them to 1e-4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from worldgym.errors import InputError
from worldgym.world.cache import TemporalCache
from worldgym.world.dit import DiT
from worldgym.world.noise import Schedule

ORDERS, RULES = ("pyramid", "parallel"), ("recompute", "rolling")


@dataclass(frozen=True)
class SamplerConfig:
    """steps: network calls a frame.   cfg: guidance, 1 = off.   order: "pyramid" (frame i runs i steps behind frame 0; a chunk
    of h takes steps + h - 1 calls) or "parallel" (all frames of a chunk at one level).   window: frames the network sees at
    most.   cached: False for the slow twin, which computes everything anew at every call.

    rule: what happens when a chunk does not fit the window.
      "recompute": the last `keep` finished frames start a new window at position 0; their keys and values are computed anew.
                   keep = 0: as many as leave room for the chunk, so that the window slides (as published).
      "rolling":   nothing is computed anew: a frame sees itself and the window - 1 frames before it, at their distance in
                   time. A stored frame remembers, through what it saw, frames that have left the window.
    Inside the window both are one.
    """

    steps: int = 10
    cfg: float = 1.0
    order: str = "pyramid"
    window: int = 16
    keep: int = 8
    cached: bool = True
    rule: str = "recompute"

    def __post_init__(self) -> None:
        if self.order not in ORDERS or self.rule not in RULES:
            raise InputError(f'no sampler of order "{self.order}" and rule "{self.rule}": choose from {ORDERS} and {RULES}')
        if self.steps < 1 or not 0 <= self.keep < self.window or self.window < 2:
            raise InputError(
                f"a sampler needs a step, a window of 2 frames and keep < window, not steps {self.steps}, window {self.window}, "
                f"keep {self.keep}: change these"
            )

    @property
    def longest_chunk(self) -> int:
        """Frames denoised together at most: longer chunks are cut."""
        return self.window - max(self.keep, 1)

    @property
    def sight(self) -> int:
        """Frames a frame sees, itself included; 0 = all before it in the window."""
        return self.window if self.rule == "rolling" else 0


SAMPLERS = {"paper": SamplerConfig(steps=10, order="pyramid", window=20, keep=0, rule="recompute")}  # arXiv 2506.00613


@dataclass(frozen=True)
class Context:
    """Finished frames of a window: latents [B, L, C, h, w], the actions that led to them [B, L, A], and the latents
    [B, C, h, w] of the frame that the rollout started from.
    """

    latents: Tensor
    actions: Tensor
    start: Tensor

    @property
    def length(self) -> int:
        return self.latents.shape[1]

    def first(self, count: int) -> Context:
        return Context(self.latents[:, :count], self.actions[:, :count], self.start)

    def after(self, count: int) -> Context:
        return Context(self.latents[:, count:], self.actions[:, count:], self.start)

    def append(self, latents: Tensor, actions: Tensor) -> Context:
        return Context(torch.cat([self.latents, latents], 1), torch.cat([self.actions, actions], 1), self.start)

    def last(self, count: int) -> Context:
        return self.after(max(self.length - count, 0))


def level_plan(schedule: Schedule, steps: int, chunk: int, order: str) -> Tensor:
    """[calls + 1, chunk] level of each frame before each network call, and after the last."""
    grid = schedule.grid(steps)
    calls = steps + (chunk - 1 if order == "pyramid" else 0)
    lag = torch.arange(chunk) if order == "pyramid" else torch.zeros(chunk, dtype=torch.long)
    return grid[(torch.arange(calls + 1)[:, None] - lag).clamp(0, steps)]


def null_actions(actions: Tensor) -> Tensor:
    """Zeros with the last number 1: "no action known"."""
    null = torch.zeros_like(actions)
    null[..., -1] = 1.0
    return null


@dataclass(frozen=True)
class Denoiser:
    """Noise => frames, behind finished ones: `plain`, and its fast twin `cached` with `fill`."""

    model: DiT
    schedule: Schedule
    config: SamplerConfig

    def plain(self, context: Context, noise: Tensor, actions: Tensor) -> Tensor:
        """noise [B, h, C, h, w] and the actions that lead to the new frames [B, h, A] => finished latents [B, h, C, h, w]."""
        chunk = noise.shape[1]
        done, context_level = self.schedule.context(context.latents)
        done_level = noise.new_full(done.shape[:2], context_level)
        all_actions = torch.cat([context.actions, actions], 1)

        def predict(x: Tensor, level: Tensor) -> Tensor:
            window, levels = torch.cat([done, x], 1), torch.cat([done_level, level], 1)
            return self._guided(window, levels, all_actions, context.start, None)[:, -chunk:]

        return self._descend(noise, predict)

    def cached(self, cache: TemporalCache, start: Tensor, noise: Tensor, actions: Tensor) -> Tensor:
        """As `plain`, the context being what `cache` holds and `start`. The cache is left as it was: see `fill`."""
        return self._descend(noise, lambda x, level: self._guided(x, level, actions, start, cache))

    def fill(self, cache: TemporalCache, frames: Context) -> None:
        """Stores finished frames: a pass at the context level whose keys and values are kept (several if the ring is short)."""
        while frames.length:
            now = frames.first(cache.room(cache.length, self.config.sight))
            latents, level = self.schedule.context(now.latents)
            self._run(latents, latents.new_full(latents.shape[:2], level), now.actions, now.start, cache)
            cache.advance(latents if self.config.cfg == 1.0 else torch.cat([latents, latents]))
            frames = frames.after(now.length)

    def _descend(self, noise: Tensor, predict: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The steps of a chunk, from noise to clean; predict(what the network is shown, its levels) => v."""
        rows, chunk = noise.shape[:2]
        plan = level_plan(self.schedule, self.config.steps, chunk, self.config.order).to(noise.device)
        x = noise
        for now, after in pairwise(plan):
            level = now.expand(rows, chunk)
            v = predict(*self.schedule.shown(x, level))
            x = self.schedule.step(x, v, level, after.expand(rows, chunk))
        return x

    def _guided(self, x: Tensor, level: Tensor, actions: Tensor, start: Tensor, cache: TemporalCache | None) -> Tensor:
        """v = v_null + cfg (v_cond - v_null)."""
        v = self._run(x, level, actions, start, cache)
        if self.config.cfg == 1.0:
            return v
        conditional, null = v.chunk(2)
        return null + self.config.cfg * (conditional - null)

    def _run(self, x: Tensor, level: Tensor, actions: Tensor, start: Tensor, cache: TemporalCache | None) -> Tensor:
        """One network call. With guidance of both branches in 2 B rows, conditional ones first; so in the cache."""
        if self.config.cfg != 1.0:
            x, level, start = (torch.cat([part, part]) for part in (x, level, start))
            actions = torch.cat([actions, null_actions(actions)])
        return self.model(x, level, actions, start, cache, self.config.sight)
