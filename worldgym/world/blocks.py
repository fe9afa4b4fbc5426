"""The blocks of the network: attention and MLP, modulated by a frame's conditioning.

Shapes: B batch, T frames, V views, N tokens per frame, D width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.native.packed_layers import SquaredReLU
from worldgym.world.attention import Attention, Pass
from worldgym.world.network_config import DiTConfig


def spread(by: Tensor, tokens: int) -> Tensor:
    """What modulates a frame [B, T, 1, D]: itself; or each view of one, [B, T, V, D] => for each of
    its tokens, [B, T, N, D]."""
    views = by.shape[2]
    return by if views == 1 else by.repeat_interleave(tokens // views, dim=2)


class Block(nn.Module):
    """Attention and MLP, both modulated and gated by the frame's conditioning (AdaLN-Zero)."""

    def __init__(self, config: DiTConfig, time: bool) -> None:
        super().__init__()
        width = config.width
        hidden = config.mlp_ratio * config.width
        activation = SquaredReLU() if config.activation == "relu2" else nn.GELU(approximate="tanh")
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.attn = Attention(
            width, config.heads, config.window if time and config.positions == "learned" else 0
        )
        self.ffwd = nn.Sequential(nn.Linear(width, hidden), activation, nn.Linear(hidden, width))

    def forward(
        self, h: Tensor, by: Sequence[Tensor], attend: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """h [B, T, N, D] tokens; by: shift, scale and gate, twice, of each frame or view, [B, T, 1
        or V, D] each (see `DiT.condition`); `attend` is one of `attn`'s two ways."""
        s1, k1, g1, s2, k2, g2 = (spread(part, h.shape[2]) for part in by)
        h = torch.addcmul(h, g1, attend(modulate(h, s1, k1)))
        return torch.addcmul(h, g2, self.ffwd(modulate(h, s2, k2)))


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """LayerNorm without affine (eps 1e-6), then scale and shift."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), scale)


class BlockPair(nn.Module):
    """One spatial block, then one temporal block."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.s_block = Block(config, time=False)
        self.t_block = Block(config, time=True)

    def forward(self, h: Tensor, by: Sequence[Tensor], now: Pass, block: int) -> Tensor:
        """by: of both blocks, the spatial one's six first.   block: which of the ring's buffers is
        this pair's."""
        h = self.s_block(h, by[:6], partial(self.s_block.attn.spatial, now=now))
        return self.t_block(h, by[6:], partial(self.t_block.attn.temporal, now=now, block=block))
