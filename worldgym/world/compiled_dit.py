"""The network compiled by torch: one program for each number of frames in work, rows and slots.

`DiT.draw` is a function of tensors of fixed sizes. For this engine the sampler makes every call of
one size (`Denoiser.fixed`): the chunk's frames, finished ones in calls of their own, rows filled up
to a power of two. So a chunk length, a batch size and guidance have one program between them,
whatever the positions in the rollout; a test counts them by dynamo's own counters.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor

from worldgym.world.cache import TemporalCache
from worldgym.world.network import DiT

Key = tuple[int, int, int]  # frames in work, rows, slots


def batch_bucket(rows: int) -> int:
    """The least power of two that holds so many rows."""
    return 1 << max(rows - 1, 0).bit_length()


class CompiledDiT:
    """Implements `worldgym.world.sampler.Network`, for inference: see `DiT` for shapes."""

    def __init__(self, network: DiT, backend: str = "inductor", graphs: bool | None = None) -> None:
        """backend: of torch.compile.   graphs: record calls as CUDA graphs; None = on a CUDA GPU.

        Not run on a GPU so far: CUDA graphs write to the ring in place, so its buffers are
        announced as static, and those of a forgotten cache are taken again."""
        self.network = network
        cuda = next(network.parameters()).is_cuda
        self._backend = backend
        self._mode = "reduce-overhead" if backend == "inductor" and (graphs or cuda) else None
        self._programs: dict[Key, Any] = {}
        self._free: dict[Key, list[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]] = {}

    @property
    def programs(self) -> int:
        """Compiled so far."""
        return len(self._programs)

    def condition(self, level: Tensor, actions: Tensor) -> Tensor:
        """Eager: once a chunk, and of another size in every order of a chunk's calls."""
        return self.network.condition(level, actions)

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
        key = (x.shape[1], x.shape[0], cache.capacity)
        if key not in self._programs:
            self._programs[key] = torch.compile(  # type: ignore[call-overload]
                self.network.draw,
                fullgraph=True,
                dynamic=False,
                backend=self._backend,
                mode=self._mode,
                isolate_recompiles=True,
            )
        given = [_laid_out(part) for part in (x, condition, initial_frame)]
        ring = cache.ring(x)
        ring = ring._replace(last=_laid_out(ring.last))
        drawn: Tensor = self._programs[key](*given, ring, sight)
        return drawn.clone() if self._mode else drawn  # the next run of the graph overwrites it

    def new_cache(self, rows: int, capacity: int, like: Tensor, start: int = 0) -> TemporalCache:
        """As `DiT.new_cache`, in buffers that a cache no longer in use has left."""
        made = self.network.new_cache(0, 0, like, start)
        key = (rows, capacity, 0)
        free = self._free.setdefault(key, [])
        if free:
            made.keys, made.values = free.pop()
        else:
            fresh = self.network.new_cache(rows, capacity, like, start)
            made.keys, made.values = fresh.keys, fresh.values
            if self._mode:
                for buffer in (*made.keys, *made.values):
                    torch._dynamo.mark_static_address(buffer)
        weakref.finalize(made, free.append, (made.keys, made.values)).atexit = False
        return made


def _laid_out(x: Tensor) -> Tensor:
    """In one piece, with the strides that follow from its shape, which are part of a program: an
    axis of one may have any other."""
    return x.reshape(-1).view(x.shape)
