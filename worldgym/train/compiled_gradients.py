"""The network once more, for training on a CPU: the same gradients from the same weights, in fewer
passes over memory.

`DiT` stays the definition, and what serves everywhere else; a test holds both together. Here norm,
modulation, gate and residual are one pass either way, the squared ReLU and what lies behind it
never leave the processor's cache, and products, attention and the gradients of weights are computed
by the matrix unit. docs/performance.md counts what bounds a step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from worldgym.native.gradients import Attend, GatedNorm, Linear, Mlp, Norm, apply, gradients
from worldgym.native.kernels import WIDE
from worldgym.world.attention import Attention, Pass
from worldgym.world.network import DiT

LONGEST = 128  # tokens or frames that attend to each other: what they hold lies on the stack


class Learner(DiT):
    """A `DiT` that learns sooner in bfloat16 on one thread of a processor with a matrix unit, and
    is a `DiT` elsewhere."""

    def through(self, h: Tensor, condition: Tensor, now: Pass) -> Tensor:
        if not self._served(h, now):
            return super().through(h, condition, now)
        b, t, n, d = h.shape
        blocks = [block for pair in self.pairs for block in (pair.s_block, pair.t_block)]
        by = [block.adaLN_modulation(condition).view(b * t, 6, d).unbind(1) for block in blocks]
        last = self.final_modulation(condition).view(b * t, 2, d).unbind(1)
        h = h.view(b * t, n, d)
        x = apply(Norm, h, *by[0][:2])
        for index, (block, (*_, gate, shift, scale, last_gate)) in enumerate(
            zip(blocks, by, strict=True)
        ):
            following = by[index + 1][:2] if index + 1 < len(by) else last
            y = _attended(block.attn, x, now, t, time=index % 2 == 1)
            h, x = apply(GatedNorm, h, y, gate, shift, scale)
            up, _, down = block.ffwd
            y = apply(Mlp, x.view(-1, d), up.weight, up.bias, down.weight, down.bias)
            h, x = apply(GatedNorm, h, y.view_as(h), last_gate, *following)
        return x.view(b, t, n, d)

    def _served(self, h: Tensor, now: Pass) -> bool:
        c = self.config
        plain = (
            c.positions == "learned"
            and c.activation == "relu2"
            and now.cache is None
            and not self.checkpointing
        )
        sizes = (
            c.width % WIDE == 0 and c.width // c.heads % WIDE == 0 and max(h.shape[1:3]) <= LONGEST
        )
        here = h.device.type == "cpu" and h.dtype == torch.bfloat16 and torch.get_num_threads() == 1
        return plain and sizes and here and torch.is_grad_enabled() and gradients() is not None


def _attended(layer: Attention, x: Tensor, now: Pass, frames: int, time: bool) -> Tensor:
    """x [F, N, D] => of the same shape; F: `frames` of each row of the batch."""
    tokens, width = x.shape[1:]
    qkv = _linear(layer.qkv_proj, x.view(-1, width)).view(-1, 3, layer.heads, layer.head_dim)
    if time:
        out = apply(Attend, qkv, layer.mask(now, x), frames, tokens)
    else:
        out = apply(Attend, qkv, None, tokens, 1)
    return _linear(layer.out_proj, out.view(-1, width)).view_as(x)


def _linear(layer: nn.Linear, x: Tensor) -> Tensor:
    out: Tensor = apply(Linear, x, layer.weight, layer.bias)
    return out
