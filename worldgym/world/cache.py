"""The key-value cache of finished frames: one object, made by the world, passed through the
network, kept across chunks.

Causal temporal attention never lets a finished frame see a later one, so its keys and values are
computed once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Ring(NamedTuple):
    """What one network call reads of a cache, and where it writes: tensors alone, of sizes that no
    position changes, so that a compiler sees one program.

    keys, values: of the cache, one buffer [B, N, heads, capacity, head_dim] a temporal block.
    last: [B, 1, C, h, w] latents of the frame before those in work.   places: int64 [T] positions
    of the frames in work.   held: int64 [capacity] position of the frame in each slot once those in
    work are written; negative: none."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    last: Tensor
    places: Tensor
    held: Tensor
    slot: int | None = None

    def write(self, block: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """keys, values [B, N, heads, T, head_dim] of the frames in work, put into their slots =>
        those of all slots."""
        return self._put(self.keys[block], keys), self._put(self.values[block], values)

    def _put(self, buffer: Tensor, new: Tensor) -> Tensor:
        if self.slot is None:
            return buffer.index_copy_(3, self.places % buffer.shape[3], new)
        left = buffer.shape[3] - self.slot  # until the ring closes
        if left >= new.shape[3]:
            buffer.narrow(3, self.slot, new.shape[3]).copy_(new)
        else:
            buffer[:, :, :, self.slot :] = new[:, :, :, :left]
            buffer[:, :, :, : new.shape[3] - left] = new[:, :, :, left:]
        return buffer


class TemporalCache:
    """Keys and values of finished frames: a ring, one pair of buffers a temporal block.

    keys, values: a buffer [B, N, heads, capacity, head_dim] a block; the frame at position p lies
    in slot p % capacity.
    start: number, in its rollout, of the frame at position 0.   length: frames stored so far, so
    the next one's position. last: latents [B, 1, C, h, w] of the newest stored frame, the "previous
    frame" of the next one (None while empty).

    `sight` below is the sampler's: a frame sees itself and the sight - 1 before it; 0 = every frame
    since position 0, and then the ring never closes.
    """

    def __init__(
        self, shape: tuple[int, int, int, int, int, int], like: Tensor, start: int = 0
    ) -> None:
        """shape: blocks, then that of a buffer.   like: a tensor of the dtype and device to use."""
        blocks, *each = shape
        self.keys = tuple(like.new_zeros(each) for _ in range(blocks))
        self.values = tuple(like.new_zeros(each) for _ in range(blocks))
        self.start = start
        self.length = 0
        self._written = 0
        self.last: Tensor | None = None

    @property
    def rows(self) -> int:
        return self.keys[0].shape[0]

    @property
    def capacity(self) -> int:
        return self.keys[0].shape[3]

    def room(self, length: int, sight: int) -> int:
        """Frames that one pass may hold when `length` are stored, without overwriting any that they
        see."""
        left = self.capacity - length
        return max(left, self.capacity - sight + 1) if sight else left

    def holds(self, length: int, sight: int) -> bool:
        """Whether a frame at position `length` still finds what it sees: another branch may have
        overwritten it."""
        oldest = max(length - sight + 1, 0) if sight else 0
        return oldest == length or self._written <= oldest + self.capacity

    def ring(self, x: Tensor) -> Ring:
        """For a call with the frames x [B, T, C, h, w] in work: they are written behind the stored
        ones, and the next call overwrites them unless `advance` is called between."""
        end = self.length + x.shape[1]
        self._written = max(self._written, end)
        return Ring(
            self.keys,
            self.values,
            x[:, :1] if self.last is None else self.last,
            torch.arange(self.length, end, device=x.device),
            ring_positions(end, self.capacity, x.device),
        )

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
        other.keys = tuple(keys.clone() for keys in self.keys)
        other.values = tuple(values.clone() for values in self.values)
        other.start = self.start
        other.length = length
        other._written = self._written
        other.last = last
        return other


def ring_positions(end: int, capacity: int, device: torch.device | None = None) -> Tensor:
    """[capacity] position of the newest frame in each slot of a ring into which frames 0 .. end - 1
    were written; negative where there is none."""
    slots = torch.arange(capacity, device=device)
    return end - 1 - (end - 1 - slots) % capacity
