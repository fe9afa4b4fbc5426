"""Denoising a chunk of frames behind a context of finished ones: the plain sampler and its fast
twin.

`Denoiser.plain` recomputes the whole window at every network call; `Denoiser.cached` computes the
frames in work only and reads the finished ones from a `TemporalCache`. Causal attention makes both
exact; a test holds them to 1e-4.

What else `cached` saves: a finished frame needs no call of its own, it rides along in the first
call of the next chunk; frames of a chunk that have not begun, or are finished and stored, are left
out of its calls; and what the noise levels and actions of a chunk say to the network is worked out
once, for all calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from worldgym.errors import InputError
from worldgym.world.cache import TemporalCache
from worldgym.world.conditioning import null_actions
from worldgym.world.context import Context, fill_rows
from worldgym.world.noise import Schedule

ORDERS = ("pyramid", "parallel")
RULES = ("recompute", "rolling")


@dataclass(frozen=True)
class SamplerConfig:
    """steps: network calls per frame.   cfg: guidance, 1 = off.   order: "pyramid" (frame i runs i
    steps behind frame 0; a chunk
    of h takes steps + h - 1 calls) or "parallel" (all frames of a chunk at one level).   window:
    frames the network sees at
    most.   cached: False for the slow twin, which computes everything again at every call.

    rule: what happens when a chunk does not fit the window.
      "recompute": the last `keep` finished frames start a new window at position 0; their keys and
      values are computed again.
                   keep = 0: as many as leave room for the chunk, so that the window slides (as
                   published).
      "rolling":   nothing is computed again: a frame sees itself and the window - 1 frames before
                   it, at their distance in time. A stored frame remembers, through what it saw,
                   frames that have left the window.
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
            raise InputError(
                f'no sampler of order "{self.order}" and rule "{self.rule}": choose from {ORDERS} '
                f"and {RULES}"
            )
        if self.steps < 1 or not 0 <= self.keep < self.window or self.window < 2:
            raise InputError(
                f"a sampler needs a step, a window of 2 frames and keep < window, not steps "
                f"{self.steps}, window {self.window}, "
                f"keep {self.keep}: change these"
            )
        if not 0.0 <= self.cfg < math.inf:
            raise InputError(f"guidance of strength {self.cfg:g} cannot be: give 1 (off) or more")

    @property
    def longest_chunk(self) -> int:
        """Frames denoised together at most: longer chunks are cut."""
        return self.window - max(self.keep, 1)

    @property
    def sight(self) -> int:
        """Frames that a frame sees, including itself; 0 = all before it in the window."""
        return self.window if self.rule == "rolling" else 0


SAMPLERS = {
    "paper": SamplerConfig(steps=10, order="pyramid", window=20, keep=0, rule="recompute")
}  # arXiv 2506.00613


def level_plan(schedule: Schedule, steps: int, chunk: int, order: str) -> Tensor:
    """[calls + 1, chunk] level of each frame before each network call, and after the last."""
    grid = schedule.grid(steps)
    calls = steps + (chunk - 1 if order == "pyramid" else 0)
    lag = torch.arange(chunk) if order == "pyramid" else torch.zeros(chunk, dtype=torch.long)
    return grid[(torch.arange(calls + 1)[:, None] - lag).clamp(0, steps)]


def frame_spans(plan: Tensor) -> list[tuple[int, int]]:
    """[calls + 1, chunk] levels => the frames first .. behind - 1 of the chunk that each network
    call must compute.

    Not those behind the last one that moves, because no earlier frame sees them; nor those before
    the first that was not yet shown at its last level, for their keys and values stay as they are.
    """
    spans = []
    first = 0
    chunk = plan.shape[1]
    for now, after in pairwise(plan):
        moving = (now != after).nonzero().flatten().tolist()
        # one frame at least: of a fine grid, rounded, neighbouring levels may be equal
        least = min(first, chunk - 1)
        spans.append((least, max([least, *moving]) + 1))
        while first < chunk and now[first] == plan[-1, first]:
            first += 1
    return spans


class Network(Protocol):
    """`worldgym.world.network.DiT`, or another that computes the same: see there."""

    def condition(self, level: Tensor, actions: Tensor) -> Tensor: ...

    def denoise(
        self,
        x: Tensor,
        condition: Tensor,
        initial_frame: Tensor,
        cache: TemporalCache | None,
        sight: int,
    ) -> Tensor: ...


@dataclass(frozen=True)
class Denoiser:
    """Noise => frames, behind finished ones: `plain`, and its fast twin `cached`."""

    network: Network
    schedule: Schedule
    config: SamplerConfig
    # every call of the cached denoiser holds all frames of the chunk, and nothing else
    fixed: bool = False

    def plain(self, context: Context, noise: Tensor, actions: Tensor) -> Tensor:
        """noise [B, h, C, h, w] and the actions that lead to the new frames [B, h, A] => finished
        latents [B, h, C, h, w]."""
        done, done_level = self._finished(context.latents)
        all_actions = torch.cat([context.actions, actions], 1)

        def predict(call: int, x: Tensor, level: Tensor) -> Tensor:
            condition = self._condition(torch.cat([done_level, level], 1), all_actions)
            return self._guided(torch.cat([done, x], 1), condition, context.start, None)

        return self._descend(noise, predict)

    def cached(
        self, cache: TemporalCache, pending: Context, noise: Tensor, actions: Tensor
    ) -> Tensor:
        """As `plain`, behind what `cache` holds and `pending`, further finished frames, which it
        holds afterwards. A cache of more rows than the batch: those are filled up, with zeros."""
        rows, chunk = noise.shape[:2]
        every = cache.rows // len(self._both(noise[:1]))
        pending = pending.filled(every)
        noise, actions = fill_rows(noise, every), fill_rows(actions, every)
        if self.fixed:
            for first in range(0, pending.length, chunk):
                self._store(cache, pending.after(first).first(chunk), chunk)
            pending = pending.after(pending.length)
        while pending.length + chunk > (room := cache.room(cache.length, self.config.sight)):
            # a new or short ring: stored in their own pass
            self._store(cache, pending.first(room), room)
            pending = pending.after(room)
        done, done_level = self._finished(pending.latents)
        plan = level_plan(self.schedule, self.config.steps, chunk, self.config.order)
        spans = [(0, chunk)] * (len(plan) - 1) if self.fixed else frame_spans(plan)
        conditions = self._conditions(done_level, pending.actions, actions, spans)
        length = cache.length + pending.length
        last = self._both(done[:, -1:]) if pending.length else cache.last

        def predict(call: int, x: Tensor, level: Tensor) -> Tensor:
            first, behind = spans[call]
            work = x[:, first:behind]
            v = torch.zeros_like(x)
            shown = work if call else torch.cat([done, work], 1)
            v[:, first:behind] = self._guided(shown, conditions[call], pending.start, cache)[
                :, first - behind :
            ]
            if not call and pending.length:
                cache.advance(self._both(done))
            if finished := (spans[call + 1][0] if call + 1 < len(spans) else first) - first:
                cache.advance(self._both(work[:, :finished]))
            return v

        clean = self._descend(noise, predict)
        # a finished frame of a chunk in work is shown at another level than one of the context
        cache.rewind(length, last)
        return clean[:rows]

    def _store(self, cache: TemporalCache, done: Context, frames: int) -> None:
        """Finished frames, in a call of so many: what is filled up lies ahead of them, where they
        do not look, and is overwritten by the next call."""
        shown, level = self._finished(done.latents)
        x, told, actions = (
            fill_rows(part.transpose(0, 1), frames).transpose(0, 1)
            for part in (shown, level, done.actions)
        )
        self._guided(x, self._condition(told, actions), done.start, cache)
        cache.advance(self._both(shown))

    def _descend(self, noise: Tensor, predict: Callable[[int, Tensor, Tensor], Tensor]) -> Tensor:
        """The steps of a chunk, from noise to clean; predict(number of the call, latents and levels
        as shown) => v, whose last frames are the chunk's.
        """
        rows, chunk = noise.shape[:2]
        x = noise
        for call, (now, after) in enumerate(pairwise(self._plan(noise))):
            level = now.expand(rows, chunk)
            v = predict(call, self.schedule.shown(x, level), self.schedule.shown_level(level))[
                :, -chunk:
            ]
            x = self.schedule.step(x, v, level, after.expand(rows, chunk))
        return x

    def _plan(self, noise: Tensor) -> Tensor:
        return level_plan(self.schedule, self.config.steps, noise.shape[1], self.config.order).to(
            noise.device
        )

    def _finished(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Finished frames [B, L, C, h, w] as shown => (latents, levels [B, L])."""
        shown, level = self.schedule.context(latents)
        return shown, torch.full(latents.shape[:2], level, device=latents.device)

    def _conditions(
        self,
        done_level: Tensor,
        done_actions: Tensor,
        actions: Tensor,
        spans: Sequence[tuple[int, int]],
    ) -> list[Tensor]:
        """The condition of each network call of a chunk, all computed at once; the first call shows
        finished frames too."""
        rows = done_level.shape[0]
        plan = self._plan(actions)[:-1]
        levels = [
            self.schedule.shown_level(now[a:b]).expand(rows, -1)
            for now, (a, b) in zip(plan, spans, strict=True)
        ]
        every = [actions[:, a:b] for a, b in spans]
        levels[0] = torch.cat([done_level, levels[0]], 1)
        every[0] = torch.cat([done_actions, every[0]], 1)
        rows = self._both(done_level).shape[0]
        levels = [self._both(level) for level in levels]
        every = [self._with_null(shown) for shown in every]
        condition = self.network.condition(
            torch.cat([x.flatten() for x in levels]), torch.cat([x.flatten(0, 1) for x in every])
        )
        return [
            part.view(rows, -1, part.shape[-1])
            for part in condition.split([level.numel() for level in levels])
        ]

    def _condition(self, level: Tensor, actions: Tensor) -> Tensor:
        return self.network.condition(self._both(level), self._with_null(actions))

    def _both(self, x: Tensor) -> Tensor:
        """Rows of the network's calls: with guidance twice those of the batch, the conditional ones
        first; so in the cache."""
        return x if self.config.cfg == 1.0 else torch.cat([x, x])

    def _with_null(self, actions: Tensor) -> Tensor:
        return actions if self.config.cfg == 1.0 else torch.cat([actions, null_actions(actions)])

    def _guided(
        self, x: Tensor, condition: Tensor, start: Tensor, cache: TemporalCache | None
    ) -> Tensor:
        """One network call => v = v_null + cfg (v_cond - v_null)."""
        v = self.network.denoise(
            self._both(x), condition, self._both(start), cache, self.config.sight
        )
        if self.config.cfg == 1.0:
            return v
        conditional, null = v.chunk(2)
        return null + self.config.cfg * (conditional - null)
