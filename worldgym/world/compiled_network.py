"""The network once more, for rollouts on a CPU: the same numbers from the same weights, a pass in
one call of C.

`DiT` stays the definition, and what GPUs, training and other dtypes use; a test holds both
together. What differs here: matrices lie in the order of the processor's matrix unit, the
modulations of all blocks are one product for all calls of a chunk, norm, modulation, gate and
residual are one pass over memory, and temporal attention reads the ring where it lies. As many
threads as torch would use work on a pass; the result does not depend on their number.
docs/performance.md counts operations and bytes.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.native import kernels as native
from worldgym.native.kernels import LANES, ON_STACK, WIDE, address, dtype_of, kernels_for
from worldgym.native.products import Product
from worldgym.native.threads import allowed_threads
from worldgym.world.attention import rotary_angles_1d, rotary_angles_2d, rotation, sees
from worldgym.world.cache import TemporalCache, ring_positions
from worldgym.world.conditioning import octaves, sinusoid
from worldgym.world.network import Block, DiT, DiTConfig
from worldgym.world.patches import unpatchify
from worldgym.world.sampler import Network


def fastest(network: DiT) -> Network:
    """What computes this network soonest where its weights lie: itself, if the compiled passes do
    not serve."""
    library = kernels_for(network.final_linear.weight)
    return network if library is None or not serves(network.config) else FusedDiT(network, library)


def serves(c: DiTConfig) -> bool:
    """Whether the compiled passes know networks of these sizes."""
    turned = 1 if c.positions == "learned" else 2  # rotary positions turn halves of a head
    size = c.width // c.heads
    # heads that fill columns of a product
    grouped = size % WIDE == 0 or (c.width % WIDE == 0 and WIDE % size == 0)
    whole = size % (turned * LANES) == 0 and grouped and c.mlp_ratio * c.width % WIDE == 0
    on_stack = max(2 * (c.tokens + LANES) * size, c.width)  # keys and values of a head; a row
    return whole and on_stack <= ON_STACK


class FusedBlock:
    """The four products of a block."""

    def __init__(self, library: ctypes.CDLL, block: Block, activation: str) -> None:
        self.qkv = Product(library, block.attn.qkv_proj)
        self.out = Product(library, block.attn.out_proj)
        self.up = Product(library, _linear(block.ffwd, 0), activation=activation)
        self.down = Product(library, _linear(block.ffwd, 2))

    @property
    def matrices(self) -> native.BlockPointers:
        return native.BlockPointers(
            self.qkv.matrix, self.out.matrix, self.up.matrix, self.down.matrix
        )


def _linear(layers: nn.Sequential, index: int) -> nn.Linear:
    layer = layers[index]
    assert isinstance(layer, nn.Linear)
    return layer


@dataclass(frozen=True)
class Sight:
    """What the frames in work may see, the same for all rows: float32 `bias` [pairs, heads, T,
    slots in use up to a multiple of 16] on the logits of each pair, the `slots` int64 [T] of the
    frames in work, and their rotations (None: learned positions)."""

    bias: Tensor
    slots: Tensor
    time: tuple[Tensor, Tensor] | None


class FusedDiT:
    """Implements `worldgym.world.sampler.Network`: see `DiT` for shapes. For inference; holds
    copies of the weights."""

    def __init__(self, network: DiT, library: ctypes.CDLL) -> None:
        self.network = network
        self.config = network.config
        self._library = library
        self._dtype = dtype_of(library)
        c = self.config
        blocks = [block for pair in network.pairs for block in (pair.s_block, pair.t_block)]
        self._blocks = [FusedBlock(library, block, c.activation) for block in blocks]
        modulations = [*(block.adaLN_modulation for block in blocks), network.final_modulation]
        self._modulation = Product(library, *(_linear(layers, 1) for layers in modulations))
        self._embed = Product(library, _linear(network.timestep_mlp, 0), activation="silu")
        self._time = Product(library, _linear(network.timestep_mlp, 2))
        self._act = Product(library, network.action_embedder)
        self._first = Product(library, network.x_proj, added=network.position_map)
        self._last = Product(library, network.final_linear)
        self._sight_at = lru_cache(maxsize=256)(self._sight)
        pixel = c.positions == "rotary_pixel"
        self._space = None
        if c.positions != "learned":
            self._space = rotation(rotary_angles_2d(*c.grid, self._head_dim, pixel), torch.float32)
        matrices = (native.BlockPointers * len(blocks))(*(block.matrices for block in self._blocks))
        sizes = (len(blocks), c.tokens, c.heads, self._head_dim, c.mlp_ratio * c.width)
        self._parts = native.NetworkPointers(
            self._first.matrix,
            self._last.matrix,
            matrices,
            self._turn(self._space, c.tokens, 1),
            *sizes,
        )

    @property
    def _head_dim(self) -> int:
        return self.config.width // self.config.heads

    def condition(self, level: Tensor, actions: Tensor) -> Tensor:
        """=> [..., 6 D a block, and 2 D]: shift, scale and gate, twice, of every block, and the
        last shift and scale."""
        threads = allowed_threads()
        dtype = self._dtype
        hidden = self._embed(sinusoid(level.flatten()).to(dtype), threads)
        shown = self._act(
            octaves(actions, self.config.action_octaves).flatten(0, -2).to(dtype), threads
        )
        return self._modulation(F.silu(self._time(hidden, threads) + shown), threads).view(
            *level.shape, -1
        )

    def denoise(
        self,
        x: Tensor,
        condition: Tensor,
        initial_frame: Tensor,
        cache: TemporalCache | None = None,
        sight: int = 0,
    ) -> Tensor:
        """As `DiT.denoise`. ValueError for tensors of another dtype or shape than the weights',
        which C would not notice."""
        (b, t), c = x.shape[:2], self.config
        cache = self.network.new_cache(b, t, x) if cache is None else cache
        rows = b * t * c.tokens
        shown = self._first.pad(self.network.views(x, initial_frame, cache).flatten(0, 2))
        out = x.new_empty(rows, self._last.wide)
        modulations = condition.contiguous()
        seen = self._sight_at(cache.length, t, cache.capacity, sight)
        call = native.Call(
            self._first.address(shown, rows),
            address(out, self._dtype, rows, self._last.wide),
            None,
            native.Modulation(
                address(modulations, self._dtype, b, t, self._modulation.wide),
                self._modulation.wide,
            ),
            self._ring(cache, b, t, seen),
            self._turn(seen.time, t, c.tokens),
            b,
            t,
            cache.keys[0].numel(),
            seen.bias[0].numel(),
            allowed_threads(),
        )
        room = x.new_empty(self._library.room_for(self._parts, call))
        call.room = address(room, self._dtype, len(room))
        self._library.denoise(self._parts, call)
        drawn = out[:, : self.network.final_linear.out_features]
        return unpatchify(drawn.reshape(b, t, c.tokens, -1), c.latent_shape, c.patch)

    def _ring(self, cache: TemporalCache, rows: int, frames: int, seen: Sight) -> native.Ring:
        c = self.config
        capacity = cache.capacity
        used = min(cache.length + frames, cache.capacity)
        if not frames <= capacity <= ON_STACK:
            raise ValueError(
                f"{frames} frames do not fit a cache of {capacity}, or it is longer than "
                f"{ON_STACK}: choose another"
            )
        shape = (c.pairs, rows, c.tokens, c.heads, capacity, self._head_dim)
        keys, values = (address(x, self._dtype, *shape) for x in cache.claim(frames))
        bias = address(
            seen.bias, torch.float32, c.pairs, c.heads, frames, -(-used // LANES) * LANES
        )
        return native.Ring(
            keys, values, address(seen.slots, torch.int64, frames), bias, capacity, used
        )

    def _turn(self, angles: tuple[Tensor, Tensor] | None, lines: int, inner: int) -> native.Turn:
        if angles is None:
            return native.Turn()
        cos, sin = (address(x, torch.float32, lines, self._head_dim) for x in angles)
        return native.Turn(cos, sin, inner, lines)

    def _sight(self, length: int, frames: int, capacity: int, sight: int) -> Sight:
        places = torch.arange(length, length + frames)
        age, hidden = sees(places, ring_positions(length + frames, capacity), sight)
        time = (
            None
            if self._space is None
            else rotation(rotary_angles_1d(places, self._head_dim), torch.float32)
        )
        biases = [pair.t_block.attn.time_bias for pair in self.network.pairs]
        learned = [
            bias[:, age.clamp(0, bias.shape[1] - 1)].float() for bias in biases if bias is not None
        ]
        added = (
            torch.stack(learned)
            if learned
            else torch.zeros(self.config.pairs, self.config.heads, *age.shape)
        )
        added = F.pad(
            added.masked_fill(hidden, float("-inf")),
            (0, -age.shape[1] % LANES),
            value=float("-inf"),
        )
        return Sight(added.contiguous(), places % capacity, time)
