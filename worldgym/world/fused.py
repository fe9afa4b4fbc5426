"""The network once more, for rollouts on a CPU: the same numbers from the same weights in fewer passes over memory.

`DiT` stays the definition, and what GPUs, training and other dtypes use; a test holds both together. What differs here:
matrices lie in the order of the processor's matrix unit, the modulations of all blocks are one product for all calls of a chunk,
norm, modulation, gate and residual are one pass, and temporal attention reads the ring where it lies, for all rows at once.
docs/performance.md counts operations and bytes.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.native.kernels import LANES, Heads, Kernels, Ring, kernels_for
from worldgym.native.products import Product
from worldgym.world.attention import rotary_angles_1d, rotary_angles_2d, rotation
from worldgym.world.cache import TemporalCache, ring_positions
from worldgym.world.dit import Block, DiT, sees, unpatchify
from worldgym.world.sampler import Network


def fastest(network: DiT) -> Network:
    """What computes this network soonest where its weights lie: itself, if the compiled passes do not serve."""
    c, kernels = network.config, kernels_for(network.final_linear.weight)
    turned = 1 if c.positions == "learned" else 2  # rotary positions turn halves of a head
    fits = c.width % LANES == 0 and (c.width // c.heads) % (turned * LANES) == 0
    return network if kernels is None or not fits else FusedDiT(network, kernels)


class FusedBlock:
    """The four products of a block. `up` squares too where that is the activation."""

    def __init__(self, kernels: Kernels, block: Block, squared: bool) -> None:
        self.qkv, self.out = Product(kernels, block.attn.qkv_proj), Product(kernels, block.attn.out_proj)
        self.up = Product(kernels, _linear(block.ffwd, 0), squared=squared)
        self.down = Product(kernels, _linear(block.ffwd, 2))


def _linear(layers: nn.Sequential, index: int) -> nn.Linear:
    layer = layers[index]
    assert isinstance(layer, nn.Linear)
    return layer


class FusedDiT:
    """Implements `worldgym.world.sampler.Network`: see `DiT` for shapes. For inference; holds copies of the weights."""

    def __init__(self, network: DiT, kernels: Kernels) -> None:
        self.network, self.config, self._kernels = network, network.config, kernels
        self._squared = self.config.activation == "relu2"
        blocks = [block for pair in network.pairs for block in (pair.s_block, pair.t_block)]
        self._blocks = [FusedBlock(kernels, block, self._squared) for block in blocks]
        modulations = [*(block.adaLN_modulation for block in blocks), network.final_modulation]
        self._modulation = Product(kernels, *(_linear(layers, 1) for layers in modulations))
        self._first, self._last = Product(kernels, network.x_proj), Product(kernels, network.final_linear)
        self._ring_at = lru_cache(maxsize=256)(self._ring)
        self._space: tuple[Tensor, Tensor] | None = None
        if self.config.positions != "learned":
            pixel = self.config.positions == "rotary_pixel"
            self._space = rotation(rotary_angles_2d(*self.config.grid, self._head_dim, pixel), torch.float32)

    @property
    def _head_dim(self) -> int:
        return self.config.width // self.config.heads

    def condition(self, level: Tensor, actions: Tensor) -> Tensor:
        """=> [..., 6 D a block, and 2 D]: shift, scale and gate, twice, of every block, and the last shift and scale."""
        c = F.silu(self.network.condition(level, actions))
        every = self._modulation(c.flatten(0, -2), c.new_empty(c[..., 0].numel(), self._modulation.wide))
        return every.view(*c.shape[:-1], -1)

    def denoise(
        self, x: Tensor, condition: Tensor, start_frame: Tensor, cache: TemporalCache | None = None, sight: int = 0
    ) -> Tensor:
        (b, t), c, kernels = x.shape[:2], self.config, self._kernels
        sizes, d = Heads(b, t, c.tokens, c.heads, self._head_dim), c.width
        cache = self.network.new_cache(b, t, x) if cache is None else cache
        modulations = condition.contiguous().view(b * t, -1)
        h, normed, seen, y, qkv, hidden = (x.new_empty(b * t * c.tokens, wide) for wide in (d, d, d, d, 3 * d, c.mlp_ratio * d))
        self._first(self.network.views(x, start_frame, cache).flatten(0, 2), h)
        if self.network.position_map is not None:
            h.view(b * t, -1, d).add_(self.network.position_map)
        for index, block in enumerate(self._blocks):
            at = 6 * d * index  # shift, scale and gate of the attention, then of the MLP; the gate of the block before lies at -d
            kernels.residual_norm(h, y if index else None, modulations, (at - d, at, at + d), normed)
            self._attend(index, block.qkv(normed, qkv), cache, sight, sizes, seen)
            kernels.residual_norm(h, block.out(seen, y), modulations, (at + 2 * d, at + 3 * d, at + 4 * d), normed)
            block.up(normed, hidden)
            block.down(hidden if self._squared else F.gelu(hidden, approximate="tanh"), y)
        at = 6 * d * len(self._blocks)
        kernels.residual_norm(h, y, modulations, (at - d, at, at + d), normed)
        return unpatchify(self._last(normed, x.new_empty(len(h), self._last.wide)).view(b, t, c.tokens, -1), c)

    def _attend(self, index: int, qkv: Tensor, cache: TemporalCache, sight: int, sizes: Heads, out: Tensor) -> None:
        """Within frames in even blocks; in odd ones in time, and keys and values are in the cache afterwards."""
        if index % 2 == 0:
            if self._space is not None:
                self._kernels.rotate(qkv, self._space, 1, sizes.heads)
            self._kernels.spatial_attention(qkv, sizes, out)
            return
        bias, slots, time = self._ring_at(cache.length, sizes.frames, cache.capacity, sight)
        if time is not None:
            self._kernels.rotate(qkv, time, sizes.tokens, sizes.heads)
        keys, values = cache.claim(index // 2, sizes.frames)
        ring = Ring(keys, values, slots, min(cache.length + sizes.frames, cache.capacity), bias[index // 2])
        self._kernels.temporal_attention(qkv, ring, sizes, out)

    def _ring(self, length: int, frames: int, capacity: int, sight: int) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]:
        """What is added to the logits of each pair, float32 [pairs, heads, T, slots in use up to a multiple of 16]; the slots of
        the frames in work; and their rotations.
        """
        places = torch.arange(length, length + frames)
        age, hidden = sees(places, ring_positions(length + frames, capacity), sight)
        time = None if self._space is None else rotation(rotary_angles_1d(places, self._head_dim), torch.float32)
        biases = [pair.t_block.attn.time_bias for pair in self.network.pairs]
        learned = [bias[:, age.clamp(0, bias.shape[1] - 1)].float() for bias in biases if bias is not None]
        added = torch.stack(learned) if learned else torch.zeros(self.config.pairs, self.config.heads, *age.shape)
        added = F.pad(added.masked_fill(hidden, float("-inf")), (0, -age.shape[1] % LANES), value=float("-inf"))
        return added, places % capacity, time
