"""The previous frame carried on by the action: convolutions that see where its places move to.

A transformer over patches must learn a shift, within a patch and across its edge, for every patch
and every distance; convolutions learn it once. So where a camera moves with the hand, a small
network of a few convolutions draws most of the next frame, and the transformer what it cannot know:
what comes into view, what was hidden, what a hand does to things. Blocks as in ConvNeXt (Liu et al.
2022, arXiv 2201.03545), modulated by the action alone (FiLM, Perez et al. 2018, arXiv 1709.07871):
where it leads does not depend on the frame's noise.

Shapes: B batch, T frames, V views, C latent channels, h and w of one view, N tokens, D width of the
transformer, W of the convolutions, P = patch * patch * C.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.world.blocks import modulate
from worldgym.world.network_config import DiTConfig
from worldgym.world.patches import patchify
from worldgym.world.view_latents import apart, stacked


class CarrierBlock(nn.Module):
    """Two convolutions, both behind a modulated norm of each place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, by: Tensor) -> Tensor:
        """x [N, W, h, w], by [N, 4, W]: shift and scale, twice."""
        shift, scale, shift2, scale2 = by[:, :, None, None].unbind(1)
        y = self.first(activated(x, shift, scale))
        return x + self.second(activated(y, shift2, scale2))


def activated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x [N, W, h, w]: the channels of each place normed and modulated, then SiLU."""
    return F.silu(modulate(x.permute(0, 2, 3, 1), shift, 1 + scale)).permute(0, 3, 1, 2)


class Carrier(nn.Module):
    """Of every view by itself, with the same weights and a learned map of its places; and how much
    of what it draws goes to the output."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        channels, *place = config.latent_shape
        width = config.carrier_width
        self.cameras = config.cameras
        self.patch = config.patch
        self.film = nn.Sequential(
            nn.SiLU(),
            nn.Linear(config.width, config.width),
            nn.SiLU(),
            nn.Linear(config.width, config.carried_by),
        )
        self.enter = nn.Conv2d(2 * channels, width, 3, padding=1)
        self.places = nn.Parameter(torch.zeros(config.cameras, width, *place))
        self.blocks = nn.ModuleList(CarrierBlock(width) for _ in range(config.carrier_blocks))
        self.leave = nn.Conv2d(width, channels, 3, padding=1)
        self.let_through = nn.Linear(config.width, 2 * channels)

    def initialize(self) -> None:
        """A new one draws the previous frame as it was, and lets it through: from pure noise, what
        comes out is that frame."""
        for name, parameter in self.named_parameters():
            if name.startswith(("film.3", "leave", "let_through")) or ".second." in name:
                nn.init.zeros_(parameter)
        nn.init.ones_(self.let_through.bias)

    def forward(self, before: Tensor, initial_frame: Tensor, by: Tensor) -> Tensor:
        """before [B, T, C, V h, w] the frame before each, initial_frame [B, C, V h, w], by [B, T,
        M] or [B, T, V, M], what `film` makes of the embedded actions => [B, T, C, V h, w]."""
        b, t = before.shape[:2]
        views = self.cameras
        seen = torch.cat([before, initial_frame[:, None].expand_as(before)], dim=2)
        x = apart(seen, views).flatten(0, 2).contiguous(memory_format=torch.channels_last)
        told = by[:, :, None].expand(b, t, views, -1) if by.ndim == 3 else by
        parts = told.reshape(b * t * views, len(self.blocks), 4, -1).unbind(1)
        x = self.enter(x) + self.places.repeat(b * t, 1, 1, 1)
        for block, part in zip(self.blocks, parts, strict=True):
            x = block(x, part)
        return before + stacked(self.leave(x).unflatten(0, (b, t, views)))

    def passed(self, h: Tensor, x: Tensor, carried: Tensor) -> Tensor:
        """h [B, T, N, D] tokens behind all blocks, x noisy latents and `carried`, both [B, T, C,
        V h, w] => [B, T, N, P], to be added to the output: as much of each channel of the noisy
        ones as a token lets through, less as much of the others. All of both is v from pure noise,
        where what was carried on is right."""
        channels = x.shape[2]
        noisy, known = self.let_through(h).unflatten(-1, (2, 1, channels)).unbind(-3)
        shown, right = (
            patchify(part, self.patch).unflatten(-1, (-1, channels)) for part in (x, carried)
        )
        return (shown * noisy - right * known).flatten(-2)
