"""Over 10,000 damaged messages for each decoder and whatever reads what it gives: our own errors
only, no hang, little memory."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable

import numpy as np
import pytest
from damage import mutated, with_other_value
from policy_server import RecallingPolicy

from worldgym.errors import WorldGymError
from worldgym.policies.observations import observe
from worldgym.policies.wire import json_numpy
from worldgym.policies.wire.address import Address
from worldgym.policies.wire.family import FAMILIES, OWN
from worldgym.policies.wire.request_mapping import answer_actions, request_of
from worldgym.policies.wire.responder import Responder
from worldgym.policies.wire.served_policy import Offer
from worldgym.testing import FAKE_SPEC, FakePolicy
from worldgym.types import Task
from worldgym.wire import msgpack_numpy

pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

FAST, SLOW = 3_500, 40_000
MAX_SECONDS, MAX_GROWTH_KB = 5.0, 2**19
FRAME = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
BEGIN = {"task": "a/0", "group": "a", "steps": 6, "repeat": 1, "run_seed": "-7"}

TASK, NO_MOVES = Task("a/0", "a", FRAME, "push", 6), np.zeros((0, 3), np.float32)
OFFER = Offer("fake", FAKE_SPEC, 2, "0123456789ab", RecallingPolicy.needs).to_message()
ANSWER = {
    "actions": np.zeros((2, 3), np.float32),
    OWN: {"state": "0-1"},
    "policy_timing": {"infer_ms": 1.5},
}

Reader = Callable[[bytes], object]
CODECS = {
    "openpi": (msgpack_numpy.pack, msgpack_numpy.unpack),
    "openvla": (json_numpy.encode, json_numpy.decode),
}


def messages(protocol: str) -> dict[str, tuple[bytes, Reader]]:
    """What is spoken in a protocol, and what reads it."""
    family, (pack, unpack) = FAMILIES[protocol][OWN], CODECS[protocol]
    responder, address = (
        Responder(FakePolicy(chunk=2), family),
        Address.parse(f"{'ws' if protocol == 'openpi' else 'http'}://h"),
    )
    seen = {family.frame: FRAME, family.instruction: "push"}
    recalling = Responder(RecallingPolicy(), family)
    shown = request_of(
        family.carrying(RecallingPolicy.needs),
        observe(RecallingPolicy.needs, FAKE_SPEC, TASK, [FRAME[None]], NO_MOVES),
    )
    return {
        "beginning": (
            pack({**seen, OWN: {"begin": BEGIN}}),
            lambda data: responder.answer(unpack(data)),
        ),
        "request": (
            pack({**seen, OWN: {"step": 2, "state": "x"}}),
            lambda data: responder.answer(unpack(data)),
        ),
        "history": (
            pack({**shown, OWN: {"step": 0, "state": None}}),
            lambda data: recalling.answer(unpack(data)),
        ),
        "answer": (pack(ANSWER), lambda data: answer_actions(family, unpack(data), 2, 3)),
        "offer": (pack(OFFER), lambda data: Offer.read(data, address)),
    }


ADDRESS = b"ws://[::1]:8000/x?family=droid&chunk=8&timeout=1.5&connections=2&black=no"
TARGETS: dict[str, tuple[bytes, Reader]] = {
    **{
        f"{protocol} {name}": target
        for protocol in CODECS
        for name, target in messages(protocol).items()
    },
    "address": (ADDRESS, lambda data: Address.parse(data.decode("latin-1"))),
}


def attack(what: str, seed: int, count: int) -> None:
    """Damages the message anew each time. Everything else than an answer or one of our errors is a
    fault."""
    whole, read = TARGETS[what]
    rng, before = np.random.default_rng(seed), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for i in range(count):
        bad = (
            with_other_value(whole, rng)
            if what.startswith("openvla") and rng.random() < 0.5
            else mutated(whole, rng)
        )
        began = time.process_time()
        try:
            read(bad)
        except WorldGymError as error:
            assert str(error), "an error without a sentence"
        except Exception as error:
            raise AssertionError(
                f"{what}, input {i} of seed {seed}: {type(error).__name__} {error}: {bad!r}"
            ) from error
        assert time.process_time() - began < MAX_SECONDS, (
            f"{what}, input {i} of seed {seed} took too long"
        )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_GROWTH_KB


@pytest.mark.parametrize("what", sorted(TARGETS))
def test_damage_gives_our_errors(what: str) -> None:
    attack(what, 0, FAST)  # five messages a decoder: 17,500 inputs each


@pytest.mark.slow
@pytest.mark.parametrize("what", sorted(TARGETS))
def test_much_damage_gives_our_errors(what: str) -> None:
    attack(what, 1, SLOW)


def test_the_whole_messages_are_read() -> None:
    """So that what is damaged is what is spoken: all but a state that nobody knows."""
    for what, (whole, read) in TARGETS.items():
        if what.endswith("request"):
            with pytest.raises(WorldGymError, match="the state of this trial is not known here"):
                read(whole)
        else:
            assert read(whole) is not None
    assert json.loads(TARGETS["openvla offer"][0])[OWN]["name"] == "fake"
