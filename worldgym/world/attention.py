"""Attention with rotary positions, in the layout that suits many small problems.

On a CPU plain matmul-softmax-matmul in training, and along time unless one frame is in work: the
fused `scaled_dot_product_attention` spends 42 % of a training step in the backward pass of many
tiny problems (36 tokens, or 16 frames); see dev/LOG.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.world.cache import Ring


def rotary_angles_1d(positions: Tensor, head_dim: int) -> Tensor:
    """positions [L] => angles [L, head_dim / 2]."""
    frequencies = 10_000.0 ** (
        -torch.arange(0, head_dim, 2, device=positions.device).float() / head_dim
    )
    return positions.float()[:, None] * frequencies


def rotary_angles_2d(height: int, width: int, head_dim: int, pixel: bool) -> Tensor:
    """Angles [height * width, head_dim / 2] of a grid; the first half of the features turn with y,
    the second with x.

    Standard: base 10000 over integer places. `pixel`: frequencies linspace(1, 128) pi over
    coordinates linspace(-1, 1)."""
    quarter = head_dim // 4
    if pixel:
        frequencies = torch.linspace(1.0, 128.0, quarter) * torch.pi
        ys = torch.linspace(-1.0, 1.0, height)
        xs = torch.linspace(-1.0, 1.0, width)
    else:
        frequencies = 10_000.0 ** (-torch.arange(quarter).float() / quarter)
        ys = torch.arange(height).float()
        xs = torch.arange(width).float()
    by_y = (ys[:, None] * frequencies)[:, None, :].expand(height, width, quarter)
    by_x = (xs[:, None] * frequencies)[None, :, :].expand(height, width, quarter)
    return torch.cat([by_y, by_x], dim=-1).reshape(height * width, 2 * quarter)


def rotation(angles: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Angles [L, head_dim / 2] => (cos, signed sin), each [L, head_dim], for `rotate`."""
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([cos, cos], -1).to(dtype), torch.cat([-sin, sin], -1).to(dtype)


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotates feature i with feature i + head_dim / 2. x [..., L, head_dim]."""
    cos, sin = turn
    half = x.shape[-1] // 2
    return torch.addcmul(x * cos, torch.roll(x, half, dims=-1), sin)


Turn = tuple[Tensor, Tensor]  # (cos, signed sin) of `rotation`


@dataclass(frozen=True)
class Pass:
    """What all blocks of one network call share.

    space, time: rotations by place and by position in time (None: positions are learned).
    bias: [pairs or 1, heads or 1, frames in work, keys], added to the logits of each pair's
    temporal block: what it learned by distance in time, -inf where a query may not look.
    ring: keys and values of the finished frames before those in work (None: the frames in work are
    all there is)."""

    space: Turn | None
    time: Turn | None
    bias: Tensor
    ring: Ring | None


class Attention(nn.Module):
    """Multi-head attention without biases in the projection of queries, keys and values."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        """window: frames over which a learned bias by distance in time is kept (0: none, positions
        are rotary)."""
        super().__init__()
        self.heads = heads
        self.head_dim = width // heads
        self.time_bias = nn.Parameter(torch.zeros(heads, window)) if window else None
        self.qkv_proj = nn.Linear(width, 3 * width, bias=False)
        self.out_proj = nn.Linear(width, width)

    def spatial(self, x: Tensor, now: Pass) -> Tensor:
        """x [B, T, N, D]: every token sees all tokens of its frame."""
        b, t, n, d = x.shape
        q, k, v = (
            self.qkv_proj(x).view(b * t, n, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)
        )
        if now.space is not None:
            q, k = rotate(q, now.space), rotate(k, now.space)
        out = attend(q, k, v, None)
        return self.out_proj(out.transpose(1, 2).reshape(b, t, n, d))

    def temporal(self, x: Tensor, now: Pass, block: int) -> Tensor:
        """x [B, T, N, D]: every token sees its own place in its frame and the frames before. With a
        cache, x holds the frames in work only.
        """
        b, t, n, d = x.shape
        q, k, v = (
            self.qkv_proj(x).view(b, t, n, 3, self.heads, self.head_dim).permute(3, 0, 2, 4, 1, 5)
        )
        if now.time is not None:
            q, k = rotate(q, now.time), rotate(k, now.time)
        bias = now.bias[block % len(now.bias)]
        if now.ring is None:
            out = attend(q, k, v, bias)  # [B, N, heads, T, head_dim]
        else:
            out = recall(q, *now.ring.write(block, k, v), bias)
        return self.out_proj(out.permute(0, 3, 1, 2, 4).reshape(b, t, n, d))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """q [..., Lq, E], k and v [..., Lk, E], mask [Lq, Lk] added to the logits => [..., Lq, E]."""
    if q.is_cuda or (mask is None and not torch.is_grad_enabled()):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        logits = logits + mask
    return logits.softmax(-1) @ v


def recall(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """As `attend`, for frames that look at a ring: q [B, N, heads, T, E], k and v [B, N, heads,
    slots, E], mask [heads or 1, T, slots]. The way depends on T and the format alone, so a row's
    numbers do not depend on its batch."""
    one_of_bfloat16 = q.shape[3] == 1 and q.dtype == torch.bfloat16
    return fused(q, k, v, mask) if one_of_bfloat16 else attend(q, k, v, mask)


def fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """As `recall`, by torch's fused attention: given four axes, it takes half the time of plain
    products for one frame in bfloat16; given five, torch falls back to a slow form."""
    places = q.shape[:2]
    q, k, v = (x.flatten(0, 1) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask[None]).unflatten(0, places)


def sees(places: Tensor, keys: Tensor, sight: int) -> tuple[Tensor, Tensor]:
    """Positions in time of queries and keys => (age [queries, keys], True where a key lies ahead or
    out of sight)."""
    age = places[:, None] - keys
    return age, (age < 0) | (age >= sight) if sight else age < 0


def branched(trunk: int, branches: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Frames in a row, and branches from them (see `DiT.forward`) => their positions, and age and
    hidden as in `sees`."""
    places = torch.cat(
        [
            torch.arange(trunk, device=device),
            torch.arange(trunk - branches, trunk, device=device) + 1,
        ]
    )
    age = places[:, None] - places
    other = ~torch.eye(len(places), dtype=torch.bool, device=device)
    aside = torch.arange(len(places), device=device) >= trunk
    return places, age, (age < 0) | (other & (aside | (age == 0)))
