"""The key-value cache of finished frames: one object, made by the sampler, passed through the network.

Causal temporal attention never lets a finished frame see a later one, so its keys and values are computed once.
"""

from __future__ import annotations

from torch import Tensor


class TemporalCache:
    """Keys and values of the finished frames of a window, one pair of buffers a temporal block.

    keys, values: [blocks, B, N, heads, capacity, head_dim].   length: frames stored.   last: latents [B, 1, C, h, w] of the
    newest stored frame, the "previous frame" of the next one (None while empty).
    """

    def __init__(self, blocks: int, rows: int, tokens: int, heads: int, capacity: int, head_dim: int, like: Tensor) -> None:
        shape = (blocks, rows, tokens, heads, capacity, head_dim)
        self.keys, self.values = like.new_zeros(shape), like.new_zeros(shape)
        self.length = 0
        self.last: Tensor | None = None

    @property
    def capacity(self) -> int:
        return self.keys.shape[4]

    def extend(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """keys, values [B, N, heads, h, head_dim] of the frames in work => those of the whole window.

        They are written behind the stored ones, and the next pass overwrites them unless `advance` is called between.
        """
        end = self.length + keys.shape[3]
        self.keys[block, :, :, :, self.length : end] = keys
        self.values[block, :, :, :, self.length : end] = values
        return self.keys[block, :, :, :, :end], self.values[block, :, :, :, :end]

    def advance(self, latents: Tensor) -> None:
        """The frames of the last pass are finished: `latents` [B, h, C, h, w] were its input."""
        self.length += latents.shape[1]
        self.last = latents[:, -1:]

    def fork(self, length: int, last: Tensor | None) -> TemporalCache:
        """A copy that holds the first `length` frames only."""
        other = TemporalCache.__new__(TemporalCache)
        other.keys, other.values = self.keys.clone(), self.values.clone()
        other.length, other.last = length, last
        return other


def causal_mask(queries: int, keys: int, like: Tensor) -> Tensor:
    """[queries, keys]: 0 where the key's frame is not later than the query's, -inf elsewhere. The last frames align."""
    return like.new_full((queries, keys), float("-inf")).triu(diagonal=keys - queries + 1)
