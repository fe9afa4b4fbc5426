"""The ring keeps every frame that a later one may still see, at its position, through any chunks
and forks."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from worldgym.world.cache import TemporalCache

LIKE = torch.zeros(1)


def frames(first: int, count: int) -> torch.Tensor:
    """Keys [B, N, heads, count, head_dim] that tell their position."""
    return torch.arange(first, first + count).float().view(1, 1, 1, count, 1)


def stored(cache: TemporalCache, count: int) -> dict[int, float]:
    """Position => key, as a pass of `count` frames sees them."""
    ring = cache.ring(torch.zeros(1, count, 1, 1, 1))
    new = frames(cache.length, count)
    told_by_places = cache.fork(cache.length, None).ring(torch.zeros(1, count, 1, 1, 1))
    keys, values = ring._replace(slot=cache.length % cache.capacity).write(0, new, -new)
    assert torch.equal(keys, told_by_places.write(0, new, -new)[0])
    assert torch.equal(keys, -values) and ring.places.tolist()[-1] == ring.held.max()
    every = zip(ring.held.tolist(), keys.flatten().tolist(), strict=True)
    return {position: key for position, key in every if position >= 0}


@given(sight=st.integers(1, 6), chunks=st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_a_pass_finds_every_frame_in_sight_at_its_position(sight: int, chunks: list[int]) -> None:
    cache = TemporalCache((1, 1, 1, 1, sight - 1 + max(chunks), 1), LIKE)
    for chunk in chunks:
        assert cache.room(cache.length, sight) >= chunk
        seen = stored(cache, chunk)
        assert all(position == key for position, key in seen.items())
        assert set(range(max(cache.length - sight + 1, 0), cache.length + chunk)) <= set(seen)
        cache.advance(torch.zeros(1, chunk, 1, 1, 1))


@given(sight=st.integers(1, 5), before=st.integers(0, 12), after=st.integers(0, 12))
def test_a_fork_holds_what_it_says(sight: int, before: int, after: int) -> None:
    """Where `holds` is True, the older moment finds all it sees; where a branch overwrote it,
    `holds` is False."""
    cache = TemporalCache((1, 1, 1, 1, sight, 1), LIKE)
    for _ in range(before + after):
        stored(cache, 1)
        cache.advance(torch.zeros(1, 1, 1, 1, 1))
    fork = cache.fork(before, None)
    seen = stored(fork, 1)
    needed = range(max(before - sight + 1, 0), before + 1)
    intact = all(seen.get(position) == position for position in needed)
    assert cache.holds(before, sight) == intact


def test_a_fork_is_a_copy() -> None:
    cache = TemporalCache((1, 1, 1, 1, 4, 1), LIKE, start=7)
    stored(cache, 2)
    cache.advance(torch.zeros(1, 2, 1, 1, 1))
    fork = cache.fork(1, None)
    stored(fork, 3)
    assert fork.start == 7 and fork.length == 1 and cache.length == 2
    assert cache.keys[0].flatten().tolist()[:2] == [0.0, 1.0] and cache.last is not None
    assert (
        cache.room(2, sight=0) == 2 and cache.room(2, sight=3) == 2 and cache.room(4, sight=3) == 2
    )
