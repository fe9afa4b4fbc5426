"""The network: a diffusion transformer over latent video, with a noise level and an action a frame.

Spatial blocks (within a frame) alternate with causal temporal blocks (same place, frames <= t). The
action that led to a frame is projected to the model width and added to the embedding of that
frame's noise level; the sum modulates every block by AdaLN-Zero (arXiv 2506.00613, section 3;
Peebles & Xie 2023 for AdaLN-Zero).

Shapes: B batch, T frames, N tokens per frame, D width, C latent channels, P = patch * patch * C
numbers per token."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from worldgym.world.attention import Pass, branched, sees
from worldgym.world.blocks import BlockPair, modulate, spread
from worldgym.world.cache import Ring, TemporalCache
from worldgym.world.carrier import Carrier
from worldgym.world.conditioning import octave_mask, octaves, sinusoid
from worldgym.world.direct import Direct
from worldgym.world.network_config import DiTConfig
from worldgym.world.patches import patchify, unpatchify
from worldgym.world.rotary import space_rotation, time_rotation


@dataclass(frozen=True)
class Robots:
    """Whose each row of a batch is. index: int [B].   known: bool [B, A], which of the numbers
    shown are this robot's own."""

    index: Tensor
    known: Tensor


class DiT(nn.Module):
    def __init__(self, config: DiTConfig, checkpointing: bool = False) -> None:
        """checkpointing: in training, keep only what enters each pair of blocks and compute the
        rest again when gradients are taken: the same gradients for a third more products and a
        fraction of the memory."""
        super().__init__()
        self.config = config
        self.checkpointing = checkpointing
        d = config.width
        patch_size = config.patch**2 * config.latent_shape[0]
        self.x_proj = nn.Linear(patch_size * config.views, d)
        self.position_map = (
            nn.Parameter(torch.zeros(config.tokens, d)) if config.positions == "learned" else None
        )
        self.view_token = (
            nn.Parameter(torch.zeros(config.cameras, d)) if config.cameras > 1 else None
        )
        self.timestep_mlp = nn.Sequential(nn.Linear(256, d), nn.SiLU(), nn.Linear(d, d))
        self.action_embedder = nn.Linear(config.action_features, d)
        self.embodiment_token = (
            nn.Parameter(torch.zeros(config.embodiments, d)) if config.embodiments > 1 else None
        )
        self.pairs = [BlockPair(config) for _ in range(config.pairs)]
        self.blocks = nn.ModuleList(self.pairs)
        self.final_modulation = nn.Sequential(nn.SiLU(), nn.Linear(d, 2 * d))
        self.final_linear = nn.Linear(d, patch_size)
        self.carrier = Carrier(config) if config.carrier_width else None
        self.direct = Direct(config) if config.direct_width else None
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.startswith("timestep_mlp") and name.endswith("weight"):
                nn.init.normal_(parameter, std=0.02)
            # AdaLN-Zero: every block begins as identity
            elif "odulation" in name or name.startswith("final_linear"):
                nn.init.zeros_(parameter)
        for part in (self.carrier, self.direct):
            if part is not None:
                part.initialize()

    def forward(
        self,
        x: Tensor,
        level: Tensor,
        actions: Tensor,
        initial_frame: Tensor,
        cache: TemporalCache | None = None,
        sight: int = 0,
        robots: Robots | None = None,
        branches: int = 0,
    ) -> Tensor:
        """x [B, T, C, h, w] noisy latents (h: of all views, V h), level [B, T] in [0, 1000], or [B,
        T, V] where each view has its own, actions [B, T, A] that led to each => [B, T, C, h, w].

        initial_frame: clean latents [B, C, h, w] of each episode's first frame.
        With a cache, the T frames follow those stored in it; without, they are the whole window
        from position 0. sight: a frame sees itself and the sight - 1 before it (0: all before it).
        robots: given where several share the network.
        branches: this many frames at the end stand beside each other instead of in a row: the last
        is at the position behind the F frames before them, the others at those before that, and
        each sees the ones of the F that lie before it, and itself."""
        condition = self.condition(level, actions, robots)
        return self.denoise(x, condition, initial_frame, cache, sight, branches)

    def condition(self, level: Tensor, actions: Tensor, robots: Robots | None = None) -> Tensor:
        """Noise levels [...], or [..., V] of each view, and the actions [..., A] that led to those
        frames => what modulates all blocks [..., M] or [..., V, M]: shift, 1 + scale and gate, D
        numbers each, twice a block, then shift and 1 + scale of the last norm; then what modulates
        the convolutions that carry on, and what a frame is drawn by directly."""
        dtype = self.action_embedder.weight.dtype
        acted = self._actions(actions, robots, dtype)
        if level.ndim == actions.ndim:  # a level for each view
            acted = acted.unsqueeze(-2)
        told = F.silu(self.timestep_mlp(sinusoid(level).to(dtype)) + acted)
        condition = torch.cat([layers[1](told) for layers in self._modulations], dim=-1)
        scales = condition.unflatten(-1, (-1, self.config.width))[..., 1::3, :]
        scales += 1.0
        told_too = []
        if self.carrier is not None:
            told_too.append(self.carrier.film(acted))
        if self.direct is not None:
            with torch.no_grad():  # trained before the rest
                by = self.direct.told(actions).to(dtype)
            told_too.append(by.unsqueeze(-2) if level.ndim == actions.ndim else by)
        wide = [part.expand(*condition.shape[:-1], -1) for part in told_too]
        return torch.cat([condition, *wide], dim=-1) if wide else condition

    def told(self, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `condition` gave, apart: for all blocks, for the convolutions that carry on, and for
        what is drawn directly, the latter [B, T, .]."""
        carried, drawn = self.config.carried_by, self.config.drawn_by
        blocks = condition.shape[-1] - carried - drawn
        parts = condition.split([blocks, carried, drawn], dim=-1)
        return parts[0], parts[1], parts[2] if condition.ndim == 3 else parts[2][..., 0, :]

    @property
    def _modulations(self) -> list[nn.Sequential]:
        """Of all blocks, and of the last norm. Each begins with SiLU, which is taken once."""
        blocks = [block for pair in self.pairs for block in (pair.s_block, pair.t_block)]
        return [*(block.adaLN_modulation for block in blocks), self.final_modulation]

    def denoise(
        self,
        x: Tensor,
        condition: Tensor,
        initial_frame: Tensor,
        cache: TemporalCache | None = None,
        sight: int = 0,
        branches: int = 0,
        carried: Tensor | None = None,
    ) -> Tensor:
        """As `forward`, with the `condition` of each frame [B, T, M] given.   carried: [B, T, C, h,
        w], shown in place of the previous frames in x, without a cache (see `carry`)."""
        if cache is not None:
            ring = cache.ring(x)._replace(slot=cache.length % cache.capacity)
            return self.draw(x, condition, initial_frame, ring, sight)
        trunk = x.shape[1] - branches
        if branches:
            places, age, hidden = branched(trunk, branches, x.device)
        else:
            places = torch.arange(trunk, device=x.device)
            age, hidden = sees(places, places, sight)
        now = self._pass(x, places, age, hidden)
        if carried is None:
            # the first frame of a window is its own previous one
            row = x[:, :1], x[:, : trunk - 1], x[:, trunk - branches : trunk]
            carried = self.carry(torch.cat(row, dim=1), initial_frame, condition)
        return self._draw(x, condition, initial_frame, carried, now)

    def carry(self, before: Tensor, initial_frame: Tensor, condition: Tensor) -> Tensor:
        """The frame before each [B, T, C, h, w] => what is shown of it: itself, or carried on by
        the action, see `worldgym.world.carrier`."""
        if self.carrier is None:
            return before
        return self.carrier(before, initial_frame, self.told(condition)[1])

    def draw(
        self, x: Tensor, condition: Tensor, initial_frame: Tensor, ring: Ring, sight: int
    ) -> Tensor:
        """One call behind the finished frames of a ring, which it writes to: a function of tensors
        of fixed sizes, without a branch on any number in them, so that one compiled program serves
        every call of a rollout."""
        age, hidden = sees(ring.places, ring.held, sight)
        now = self._pass(x, ring.places, age, hidden | (ring.held < 0), ring)
        before = torch.cat([ring.last, x[:, :-1]], dim=1)
        carried = self.carry(before, initial_frame, condition)
        return self._draw(x, condition, initial_frame, carried, now)

    def _draw(
        self, x: Tensor, condition: Tensor, initial_frame: Tensor, carried: Tensor, now: Pass
    ) -> Tensor:
        modulation, _, by = self.told(condition)
        direct = None
        if self.direct is not None:
            with torch.no_grad():
                direct = self.direct(initial_frame, by)
        h = self.x_proj(self.views(x, initial_frame, carried, direct))
        h = h if self.position_map is None else h + self.position_map
        if self.view_token is not None:
            h = h + self.view_token.repeat_interleave(h.shape[2] // self.config.cameras, dim=0)
        h = self.through(h, modulation, now)
        drawn = self.final_linear(h)
        if self.carrier is not None:
            drawn = drawn + self.carrier.passed(h, x, carried)
        if self.direct is not None and direct is not None:
            drawn = drawn - self.direct.passed(h, direct)
        return unpatchify(drawn, self.config.stacked_shape, self.config.patch)

    def through(self, h: Tensor, condition: Tensor, now: Pass) -> Tensor:
        """h [B, T, N, D] tokens, condition [B, T, M] => all blocks, and the last norm [B, T, N,
        D]."""
        told = condition.unsqueeze(2) if condition.ndim == 3 else condition
        parts = told.unflatten(-1, (-1, self.config.width)).unbind(-2)
        for index, pair in enumerate(self.pairs):
            by = parts[12 * index : 12 * index + 12]
            if self.checkpointing and torch.is_grad_enabled():
                h = checkpoint(pair, h, by, now, index, use_reentrant=False)
            else:
                h = pair(h, by, now, index)
        shift, scale = (spread(part, h.shape[2]) for part in parts[-2:])
        return modulate(h, shift, scale)

    def _actions(self, actions: Tensor, robots: Robots | None, dtype: torch.dtype) -> Tensor:
        """[..., A] => [..., D]: what is shown and, where `robots` are given (then [B, T, A]), whose
        it is. Numbers that are not the robot's have no part in it.
        """
        shown = octaves(actions, self.config.action_octaves)
        if robots is None or self.embodiment_token is None:
            return self.action_embedder(shown.to(dtype))
        shown = shown * octave_mask(robots.known, self.config.action_octaves)[:, None]
        return self.action_embedder(shown.to(dtype)) + self.embodiment_token[robots.index][:, None]

    def views(
        self, x: Tensor, initial_frame: Tensor, carried: Tensor, direct: Tensor | None = None
    ) -> Tensor:
        """Latents, with those shown beside, => [B, T, N, P views]."""
        patches = patchify(x, self.config.patch)
        views = [patches]
        if self.config.previous_frame:
            views.append(patchify(carried, self.config.patch))
        if self.config.initial_frame:
            views.append(patchify(initial_frame[:, None], self.config.patch).expand_as(patches))
        if direct is not None:
            views.append(patchify(direct, self.config.patch))
        return torch.cat(views, dim=-1)

    def _pass(
        self, x: Tensor, places: Tensor, age: Tensor, hidden: Tensor, ring: Ring | None = None
    ) -> Pass:
        c = self.config
        if c.positions == "learned":
            biases = [pair.t_block.attn.time_bias for pair in self.pairs]
            learned = torch.stack([bias for bias in biases if bias is not None])
            bias = learned[:, :, age.clamp(0, c.window - 1)]
            return Pass(None, None, bias.masked_fill(hidden, -math.inf), ring)
        bias = x.new_zeros(1, 1, *age.shape).masked_fill(hidden, -math.inf)
        head_dim = c.width // c.heads
        cos, sin = space_rotation(
            c.grid, head_dim, c.positions == "rotary_pixel", c.rotary_tables, x
        )
        space = cos.repeat(c.cameras, 1), sin.repeat(c.cameras, 1)
        return Pass(space, time_rotation(places, head_dim, c.rotary_tables, x), bias, ring)

    def new_cache(self, rows: int, capacity: int, like: Tensor, start: int = 0) -> TemporalCache:
        """Room for `capacity` frames; `start`: number of the first one in its rollout."""
        c = self.config
        return TemporalCache(
            (c.pairs, rows, c.tokens, c.heads, capacity, c.width // c.heads), like, start
        )
