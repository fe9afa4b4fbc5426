"""Damaged messages to and from a served world: our own errors only, no hang, little memory, and a
world that goes on as if nothing had happened."""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np
import pytest
from damage import VALUES, mutated
from stand_in_worlds import stated

from worldgym.errors import WorldGymError
from worldgym.wire.msgpack_numpy import pack, unpack
from worldgym.world.capabilities import WorldCard
from worldgym.world.wire.world_request import drawn_of, told_of
from worldgym.world.wire.world_responder import WorldResponder

pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

FAST, SLOW = 400, 10_000
MAX_SECONDS, MAX_GROWTH_KB = 5.0, 2**19
WORLD = stated(state=("x", "y"), returns=("x", "y"), instruction=True)
CARD = WorldCard.of(WORLD)


def begin() -> dict[str, Any]:
    return {
        "call": "reset",
        "frames": np.zeros((2, 7, 3, 8, 12, 3), np.uint8),
        "actions": np.zeros((2, 6, 3), np.float32),
        "state": np.zeros((2, 2), np.float32),
        "instructions": ["push", "pull"],
        "seeds": [1, 2**63 - 1],
    }


def messages(token: str) -> list[dict[str, Any]]:
    moves = np.zeros((2, 12, 3), np.float32)
    return [
        begin(),
        {"call": "step", "state": token, "actions": moves, "release": ["a", "b"]},
        {"call": "fork", "state": token},
        {"call": "complete", "frames": begin()["frames"][:, 0], "given": np.ones((2, 3), bool)},
        {"call": "close", "release": [token]},
    ]


def fuzzed(count: int) -> tuple[int, int]:
    """Messages that were refused, and that were answered."""
    responder = WorldResponder(WORLD, states=8)
    rng = np.random.default_rng(0)
    token = responder.answer(begin())["state"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for i in range(count):
        asked = messages(token)[i % 5]
        if i % 3 == 0:  # another value in one place
            keys = list(asked)
            asked[keys[int(rng.integers(len(keys)))]] = VALUES[int(rng.integers(len(VALUES)))]
        data = pack(asked) if i % 3 == 0 else mutated(pack(asked), rng)
        started = time.monotonic()
        try:
            responder.answer(unpack(data))
        except WorldGymError:
            refused += 1
        assert time.monotonic() - started < MAX_SECONDS
        assert responder.kept <= 8
        if i % 50 == 0:
            token = responder.answer(begin())["state"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_GROWTH_KB
    state = responder.answer(begin())["state"]
    answer = responder.answer(messages(state)[1])
    assert answer["frames"].shape == (2, 12, 3, 8, 12, 3)
    return refused, count - refused


def read(count: int) -> int:
    """Damaged answers and cards that a client refused."""
    answer = pack(
        {
            "state": "a-1",
            "frames": np.zeros((2, 12, 3, 8, 12, 3), np.uint8),
            "robot_state": np.zeros((2, 12, 2), np.float32),
        }
    )
    card = pack(CARD.to_json())
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(count):
        for data, reader in (
            (answer, lambda told: (drawn_of(told, CARD, 2, 12), told_of(told, CARD, 2, 12))),
            (card, WorldCard.from_json),
        ):
            try:
                reader(unpack(mutated(data, rng)))
            except (WorldGymError, ValueError, TypeError):
                refused += 1
    return refused


def test_some_damaged_messages() -> None:
    refused, answered = fuzzed(FAST)
    assert refused > FAST // 3 and answered > FAST // 20
    assert read(FAST // 2) > FAST // 3


@pytest.mark.slow
def test_ten_thousand_damaged_messages() -> None:
    refused, answered = fuzzed(SLOW)
    assert refused > SLOW // 3 and answered > SLOW // 20
    assert read(SLOW // 2) > SLOW // 3
