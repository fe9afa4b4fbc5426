"""The network compiled by torch: one program for each number of frames in work, rows and slots.

`DiT.draw` is a function of tensors of fixed sizes. For this engine the sampler makes every call of
one size (`Denoiser.fixed`): the chunk's frames, finished ones in calls of their own, rows filled up
to a power of two. So a chunk length, a batch size and guidance have one program between them,
whatever the positions in the rollout; a test counts them.
"""

from __future__ import annotations

from torch import Tensor, nn

from worldgym.native.compiled_module import Backend, CompiledModule, laid_out
from worldgym.native.packed_layers import packed
from worldgym.world.cache import Ring, TemporalCache
from worldgym.world.network import DiT


class CompiledDiT:
    """Implements `worldgym.world.sampler.Network`, for inference: see `DiT` for shapes."""

    def __init__(self, network: DiT, backend: Backend = "package") -> None:
        self.network = network
        self._eager = packed(network)
        self._backend = backend
        self._draws: dict[int, CompiledModule] = {}  # by sight

    @property
    def programs(self) -> int:
        """Compiled or loaded so far."""
        return sum(draw.programs for draw in self._draws.values())

    def condition(self, level: Tensor, actions: Tensor) -> Tensor:
        """Eager: once a chunk, and of another size in every order of a chunk's calls."""
        return self._eager.condition(level, actions)

    def denoise(
        self,
        x: Tensor,
        condition: Tensor,
        initial_frame: Tensor,
        cache: TemporalCache | None,
        sight: int,
    ) -> Tensor:
        """As `DiT.denoise`; without a cache it is that: the slow twin is never compiled."""
        if cache is None:
            return self.network.denoise(x, condition, initial_frame, None, sight)
        if sight not in self._draws:
            name = f"network {self.network.config}, sight {sight}"
            self._draws[sight] = CompiledModule(_Draw(self.network, sight), name, self._backend)
        ring = cache.ring(x)
        shown = map(laid_out, (x, condition, initial_frame))
        held = (ring.keys, ring.values, laid_out(ring.last), ring.places, ring.held)
        return self._draws[sight](*shown, *held)


class _Draw(nn.Module):
    """`DiT.draw`, of tensors alone."""

    def __init__(self, network: DiT, sight: int) -> None:
        super().__init__()
        self.network = network
        self.sight = sight

    def forward(
        self,
        x: Tensor,
        condition: Tensor,
        initial_frame: Tensor,
        keys: tuple[Tensor, ...],
        values: tuple[Tensor, ...],
        last: Tensor,
        places: Tensor,
        held: Tensor,
    ) -> Tensor:
        ring = Ring(keys, values, last, places, held)
        return self.network.draw(x, condition, initial_frame, ring, self.sight)
