"""The key-value cache of finished frames: one object, made by the world, passed through the
network, kept across chunks.

Causal temporal attention never lets a finished frame see a later one, so its keys and values are
computed once."""

from __future__ import annotations

import torch
from torch import Tensor


class TemporalCache:
    """Keys and values of finished frames: a ring, one pair of buffers a temporal block.

    keys, values: [blocks, B, N, heads, capacity, head_dim]; the frame at position p lies in slot p
    % capacity.
    start: number, in its rollout, of the frame at position 0.   length: frames stored so far, so
    the next one's position. last: latents [B, 1, C, h, w] of the newest stored frame, the "previous
    frame" of the next one (None while empty).

    `sight` below is the sampler's: a frame sees itself and the sight - 1 before it; 0 = every frame
    since position 0, and then the ring never closes.
    """

    def __init__(
        self, shape: tuple[int, int, int, int, int, int], like: Tensor, start: int = 0
    ) -> None:
        """shape: of `keys`.   like: a tensor of the dtype and device to use."""
        self.keys = like.new_zeros(shape)
        self.values = like.new_zeros(shape)
        self.start = start
        self.length = 0
        self._written = 0
        self.last: Tensor | None = None

    @property
    def rows(self) -> int:
        return self.keys.shape[1]

    @property
    def capacity(self) -> int:
        return self.keys.shape[4]

    def room(self, length: int, sight: int) -> int:
        """Frames that one pass may hold when `length` are stored, without overwriting any that they
        see."""
        left = self.capacity - length
        return max(left, self.capacity - sight + 1) if sight else left

    def holds(self, length: int, sight: int) -> bool:
        """Whether a frame at position `length` still finds what it sees: a branch that went on may
        have overwritten it."""
        oldest = max(length - sight + 1, 0) if sight else 0
        return oldest == length or self._written <= oldest + self.capacity

    def positions(self, count: int) -> Tensor:
        """[keys] position of the frame in each slot that a pass of `count` frames sees, their own
        included."""
        return ring_positions(self.length + count, self.capacity, self.keys.device)

    def claim(self, count: int) -> tuple[Tensor, Tensor]:
        """The buffers of all blocks [blocks, B, N, heads, capacity, head_dim]: the caller writes
        the `count` frames in work, each to slot position % capacity, as `extend` would have.
        """
        self._written = max(self._written, self.length + count)
        return self.keys, self.values

    def extend(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """keys, values [B, N, heads, h, head_dim] of the frames in work => those of all slots in
        use, as in `positions`.

        They are written behind the stored ones, and the next pass overwrites them unless `advance`
        is called between."""
        end = self.length + keys.shape[3]
        all_keys, all_values = (buffers[block] for buffers in self.claim(keys.shape[3]))
        if end <= self.capacity:
            all_keys[:, :, :, self.length : end] = keys
            all_values[:, :, :, self.length : end] = values
        else:
            slots = torch.arange(self.length, end, device=keys.device) % self.capacity
            all_keys.index_copy_(3, slots, keys)
            all_values.index_copy_(3, slots, values)
        return all_keys[:, :, :, :end], all_values[:, :, :, :end]

    def advance(self, latents: Tensor) -> None:
        """The frames of the last pass are finished: `latents` [B, h, C, h, w] were its input."""
        self.length += latents.shape[1]
        self.last = latents[:, -1:]

    def rewind(self, length: int, last: Tensor | None) -> None:
        """Forgets all frames from position `length` on; `last` is the newest before it, as in the
        attribute."""
        self.length = length
        self.last = last

    def fork(self, length: int, last: Tensor | None) -> TemporalCache:
        """A copy that holds the first `length` frames only (those that the ring still has: see
        `holds`)."""
        other = TemporalCache.__new__(TemporalCache)
        other.keys = self.keys.clone()
        other.values = self.values.clone()
        other.start = self.start
        other.length = length
        other._written = self._written
        other.last = last
        return other


def ring_positions(end: int, capacity: int, device: torch.device | None = None) -> Tensor:
    """[slots in use] position of the newest frame in each slot of a ring into which frames 0 .. end
    - 1 were written."""
    slots = torch.arange(min(end, capacity), device=device)
    return end - 1 - (end - 1 - slots) % capacity
