"""What a world announces survives a round trip, and what cannot be is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_in_worlds import StandInWorld, stated

from worldgym.testing import FAKE_SPEC, FakeWorld
from worldgym.world.capabilities import PLAIN, Capabilities, Chunk, History, WorldCard

CHUNKS = st.builds(
    lambda multiple, low, more: Chunk(multiple * low, multiple * (low + more), multiple),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(0, 4),
)


@given(CHUNKS, st.integers(1, 200))
def test_pieces_are_steps_that_a_world_takes_and_make_the_whole(chunk: Chunk, actions: int) -> None:
    pieces = chunk.pieces(actions)
    if pieces is not None:
        assert sum(pieces) == actions
        assert all(chunk.pieces(size) == [size] for size in pieces)
    up, down = chunk.padded(actions), chunk.covered(actions)
    assert down <= actions <= up
    assert chunk.pieces(up) and (down == 0 or chunk.pieces(down))
    assert (up == actions) == (down == actions) == (pieces is not None)
    assert not any(chunk.pieces(n) for n in range(down + 1, up) if n != actions)


def test_a_world_of_ours_takes_any_number_in_one_step() -> None:
    assert PLAIN.chunk.pieces(50) == [50] and PLAIN.chunk.padded(7) == PLAIN.chunk.covered(7) == 7
    assert Chunk.exactly(12).pieces(36) == [12, 12, 12] and Chunk.exactly(12).pieces(40) is None
    assert Chunk(4, 24, 4).pieces(40) == [20, 20]


@pytest.mark.parametrize("world", [FakeWorld(), StandInWorld(), stated(stride=3, returns=("x",))])
def test_a_card_is_read_as_it_was_written(world: Any) -> None:
    card = WorldCard.of(world, details={"engine": "torch"})
    assert WorldCard.from_json(json.loads(json.dumps(card.to_json()))) == card


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Chunk(3, 2), "3 to 2 actions"),
        (lambda: Chunk(5, 10, 4), "multiples of 4"),
        (lambda: Chunk(4, 10, 4), "multiples of 4"),
        (lambda: History(0), "history of 0 frames"),
        (lambda: Capabilities(stride=3), "a stride of 3"),
        (lambda: Capabilities(batch=0, horizon=-1), "must be 1 to"),
        (lambda: Capabilities(state=("",)), "names of 1 to"),
        (lambda: WorldCard.of(FakeWorld(views=())), "views are one name or more"),
        (lambda: WorldCard.of(FakeWorld(views=("a", "a"))), '"a" is named twice'),
        (lambda: WorldCard.of(FakeWorld(views=tuple("abcdefgh" * 20))), "'e', ...[)] must be"),
        (lambda: Capabilities(batch=0), "must be 1 to"),
        (lambda: Capabilities(horizon=0), "must be 1 to"),
        (lambda: Capabilities(returns=("x", "x")), '"x" is named twice'),
        (lambda: Capabilities(state=("x", "y", "x")), '"x" is named twice'),
        (lambda: History(100_000, 100_000), "a history of 100000 frames"),
        (
            lambda: WorldCard.of(
                FakeWorld(
                    frame_shape=(512, 512, 3), capabilities=Capabilities(history=History(9999))
                )
            ),
            "would begin with 7499 MiB of frames",
        ),
        (lambda: WorldCard.of(FakeWorld(replace(FAKE_SPEC, rate_hz=1e300))), "rate is 1e[+]300 Hz"),
        (lambda: WorldCard.of(FakeWorld(replace(FAKE_SPEC, rate_hz=1e-300))), "give 0.001 to"),
        (lambda: WorldCard.of(FakeWorld(replace(FAKE_SPEC, names=("x", "y", "x")))), '"x" twice'),
        (lambda: WorldCard.of(FakeWorld(replace(FAKE_SPEC, names=("x", "y", "")))), "printable"),
        (lambda: WorldCard.of(FakeWorld(frame_shape=(0, 4, 3))), "frames are"),
        (lambda: WorldCard.of(FakeWorld(name="")), "1 to 200 characters"),
        (lambda: Capabilities(returns=("joint\x1b[31m",)), "printable characters"),
    ],
)
def test_what_cannot_be_is_refused(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_a_card_of_another_protocol_or_form_is_refused() -> None:
    data = WorldCard.of(FakeWorld()).to_json()
    for changed, words in (
        ({**data, "protocol": 2}, "version 2 of the protocol"),
        ({**data, "frame_shape": [4, 4]}, "frame_shape"),
        ({**data, "capabilities": {"chunk": {"least": 0}}}, "cannot be"),
        ({**data, "capabilities": {"seeds": "many"}}, "seeds"),
        ({**data, "extra": 1}, "extra"),
        ([], "must be a map"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            WorldCard.from_json(changed)


def test_rows_of_a_call_at_which_each_keeps_its_noise() -> None:
    assert PLAIN.most_rows is None and replace(PLAIN, batch=4).most_rows == 4
    assert replace(PLAIN, seeds="batch", batch=4).most_rows == 1
    assert replace(PLAIN, branching="latest").most_rows == 1
