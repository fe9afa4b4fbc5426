"""A world behind a server is the world, and its states come and go with whoever holds them."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from damage import mutated
from stand_in_worlds import stated

from worldgym.errors import InputError, ServerOutage
from worldgym.policies.wire.family import FAMILIES, OWN
from worldgym.policies.wire.responder import Responder
from worldgym.testing import FakePolicy, FakeWorld, check_world
from worldgym.wire.msgpack_numpy import pack
from worldgym.wire.websocket_server import WebsocketServer
from worldgym.world.capabilities import Capabilities, Chunk, History
from worldgym.world.fitted_world import FittedWorld
from worldgym.world.wire.served_world import (
    CompletingServedWorld,
    ServedWorld,
    check_shared,
    connect_world,
    rows_of_an_answer,
)
from worldgym.world.wire.world_request import actions_of
from worldgym.world.wire.world_responder import WorldResponder
from worldgym.world.wire.world_server import ServeOptions, world_server
from worldgym.world.world_protocol import World
from worldgym.world.world_source import load_world
from worldgym.world.world_start import Start

pytest.importorskip("websockets", reason="the extra [remote] is not installed")
pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

STARTS = np.random.default_rng(0).integers(0, 256, (2, 1, 16, 24, 3)).astype(np.uint8)
MOVES = np.random.default_rng(1).uniform(-1, 1, (2, 4, 3)).astype(np.float32)


class CompletingWorld(FakeWorld):
    """Draws a view that is not given: the main one, upside down."""

    def complete(self, frames: Any, given: Any, seeds: Any) -> Any:
        turned = frames[:, :1, ::-1].repeat(frames.shape[1], 1)
        return np.where(given[:, :, None, None, None], frames, turned)


@contextmanager
def serving(world: World[Any], options: str = "", **limits: int) -> Iterator[ServedWorld]:
    server = world_server(world, ServeOptions(port=0, **limits))
    with running(server):
        remote = connect_world(f"ws://127.0.0.1:{server.port}{options}")
        try:
            yield remote
        finally:
            remote.close()


@contextmanager
def running(server: WebsocketServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join()


@pytest.mark.parametrize(
    "world", [FakeWorld(views=("front", "wrist")), stated(stride=3, returns=("x", "y"))]
)
def test_a_served_world_says_and_draws_what_the_world_does(world: Any) -> None:
    with serving(world) as remote:
        assert (remote.name, remote.spec, remote.views) == (world.name, world.spec, world.views)
        assert remote.frame_shape == world.frame_shape
        assert remote.capabilities.chunk == world.capabilities.chunk
        check_world(remote, tolerance=0)


def test_what_more_a_rollout_begins_with_travels_too() -> None:
    world = stated(state=("x", "y"), returns=("x", "y"))
    starts = np.random.default_rng(0).integers(0, 256, (2, 1, 3, 8, 12, 3)).astype(np.uint8)
    moves = np.random.default_rng(1).uniform(-1, 1, (2, 24, 3)).astype(np.float32)
    with serving(world) as remote:
        drawn = []
        for played in (world, remote):
            fitted = FittedWorld(played, hold=True)
            begun = _start(starts)
            state, first = fitted.step(fitted.begin(begun), moves[:, :8])
            state, second = fitted.step(state, moves[:, 8:])
            drawn.append((first, second, fitted.robot_states(state)))
        for mine, theirs in zip(*drawn, strict=True):
            assert np.array_equal(mine, theirs)


def _start(frames: Any) -> Start:
    none = np.zeros((2, 0, 3), np.float32)
    return Start(frames, (5, 2**63 - 1), none, ("push", "zieh"), np.ones((2, 2), np.float32))


def test_views_that_a_task_does_not_bring_are_drawn_over_the_wire_too() -> None:
    world = CompletingWorld(views=("front", "wrist"))
    frames = np.concatenate([STARTS, np.zeros_like(STARTS)], axis=1)
    given = np.array([[True, False], [True, True]])
    with serving(world) as remote:
        assert isinstance(remote, CompletingServedWorld)
        assert np.array_equal(
            remote.complete(frames, given, [1, 2]), world.complete(frames, given, [1, 2])
        )
    with serving(FakeWorld()) as plain:
        assert not isinstance(plain, CompletingServedWorld)


def test_states_that_nobody_holds_are_let_go_with_the_next_call() -> None:
    responder = WorldResponder(FakeWorld())
    server = WebsocketServer(responder, "127.0.0.1", 0, most=responder.most_request)
    with running(server):
        remote = connect_world(f"ws://127.0.0.1:{server.port}")
        state = remote.reset(STARTS, [1, 2])
        for _ in range(5):
            state, _ = remote.step(state, MOVES)
        assert responder.kept == 2  # the newest, and the one that it was stepped from
        other = remote.fork(state)
        expected = FakeWorld().reset(STARTS, [1, 2])
        del state
        gc.collect()
        for _ in range(6):
            expected, frames = FakeWorld().step(expected, MOVES)
        assert np.array_equal(remote.step(other, MOVES)[1], frames)
        del other
        gc.collect()
        remote.close()
        assert responder.kept == 0


def test_a_state_that_had_to_go_is_an_outage_and_nothing_else() -> None:
    with serving(FakeWorld(), states=2) as remote:
        states = [remote.reset(STARTS, [1, 2]) for _ in range(3)]
        with pytest.raises(
            ServerOutage, match="not known here: the server was restarted, or keeps"
        ):
            remote.step(states[0], MOVES)
        remote.step(states[2], MOVES)


def test_a_world_of_one_rollout_forgets_the_state_it_was_stepped_from() -> None:
    latest = stated(branching="latest")
    with serving(latest) as remote:
        assert remote.capabilities.most_rows == 1
        frames = np.zeros((1, 1, 3, 8, 12, 3), np.uint8)
        fitted = FittedWorld(remote)
        none = np.zeros((1, 0, 3), np.float32)
        begun = fitted.begin(Start(frames, (1,), none, ("go",), np.zeros((1, 0), np.float32)))
        after, _ = fitted.step(begun, np.zeros((1, 12, 3), np.float32))
        with pytest.raises(ServerOutage, match="not known here"):
            fitted.step(begun, np.zeros((1, 12, 3), np.float32))
        with pytest.raises(ServerOutage, match="cannot be forked"):
            remote.fork(after.inner)
        fitted.step(after, np.zeros((1, 12, 3), np.float32))


class BreakingWorld(FakeWorld):
    def step(self, state: Any, actions: Any) -> Any:
        raise ZeroDivisionError("out of memory")


class LyingWorld(FakeWorld):
    """Draws a frame too many."""

    def step(self, state: Any, actions: Any) -> Any:
        after, frames = super().step(state, actions)
        return after, frames.repeat(2, axis=1)


@pytest.mark.parametrize(
    ("world", "words"),
    [
        (BreakingWorld(), "the world failed: ZeroDivisionError: out of memory"),
        (LyingWorld(), r"step returned uint8 \[2, 8, 1, 16, 24, 3\], not frames uint8 \[2, 4"),
    ],
)
def test_a_world_that_breaks_or_lies_is_an_outage(
    world: Any, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(world) as remote, pytest.raises(ServerOutage, match=words):
        remote.step(remote.reset(STARTS, [1, 2]), MOVES)


class SlowWorld(FakeWorld):
    def step(self, state: Any, actions: Any) -> Any:
        time.sleep(0.5)
        return super().step(state, actions)


def test_an_answer_that_is_late_is_an_outage_and_never_taken_for_the_next() -> None:
    with serving(SlowWorld(), "?timeout=0.3") as remote:
        state = remote.reset(STARTS, [1, 2])
        with pytest.raises(ServerOutage, match=r"no answer within 0\.3 s; allow more time"):
            remote.step(state, MOVES)
        time.sleep(0.6)  # the server is done with what nobody waits for any more
        again = remote.reset(STARTS, [5, 6])
        assert again.rows == 2 and again.token != state.token


def test_damaged_messages_over_the_wire_end_their_connection_alone() -> None:
    import websockets.sync.client

    rng = np.random.default_rng(0)
    with serving(FakeWorld()) as remote:
        state = remote.reset(STARTS, [1, 2])
        asked = pack({"call": "step", "state": state.token, "actions": MOVES})
        for _ in range(40):
            with websockets.sync.client.connect(
                remote.url, compression=None, max_size=2**20
            ) as damaged:
                damaged.recv()
                damaged.send(mutated(asked, rng))
                damaged.recv()  # an answer, or the sentence before the end
        expected = FakeWorld().step(FakeWorld().reset(STARTS, [1, 2]), MOVES)[1]
        assert np.array_equal(remote.step(state, MOVES)[1], expected)


def test_what_the_server_does_not_take_is_refused_in_words() -> None:
    with serving(FakeWorld(), rows=2) as remote:
        state = remote.reset(STARTS, [1, 2])
        for call, words in (
            (
                lambda: remote.reset(STARTS.repeat(2, 0), [1] * 4),
                "4 rows: this server takes 1 to 2",
            ),
            (
                lambda: remote.reset(STARTS[:, :, :4], [1, 2]),
                r"must be uint8 \[B, 1, 1, 16, 24, 3\]",
            ),
            (lambda: remote.reset(STARTS, [1]), "2 whole numbers"),
            (lambda: remote.step(state, MOVES[:, :, :2]), r"float32 \[2, 4, 3\]"),
            (lambda: remote.step(state, MOVES * np.nan), "finite"),
            (lambda: remote.step(state, MOVES[:, :0]), "a step takes 1 to any number of actions"),
            (lambda: remote.step(state, MOVES.repeat(60_000, 1)), "more than 256 MiB"),
        ):
            with pytest.raises(ServerOutage, match=words):
                call()
        assert remote.step(state, MOVES)[1].shape == (2, 4, 1, 16, 24, 3)


def test_who_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="lets other machines connect"):
        world_server(FakeWorld(), ServeOptions("0.0.0.0", 0))
    monkeypatch.setenv("KEY", "secret")
    server = world_server(FakeWorld(), ServeOptions(port=0, key_env="KEY"))
    with running(server):
        with pytest.raises(InputError, match="HTTP 401"):
            connect_world(f"ws://127.0.0.1:{server.port}")
        connect_world(f"ws://127.0.0.1:{server.port}?key_env=KEY").close()


def test_an_address_that_leads_to_no_world_is_refused() -> None:
    with pytest.raises(InputError, match="no world server to use"):
        load_world("ws://127.0.0.1:1?patience=1")
    with pytest.raises(InputError, match="unknown option"):
        load_world("ws://127.0.0.1:1?family=droid")
    server = WebsocketServer(Responder(FakePolicy(), FAMILIES["openpi"][OWN]), "127.0.0.1", 0)
    with running(server), pytest.raises(InputError, match="the server serves no world"):
        load_world(f"ws://127.0.0.1:{server.port}")


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (lambda card: card | {"protocol": 7}, "version 7"),
        (lambda card: card | {"views": []}, "views are one name"),
        (lambda card: card | {"frame_shape": [10**9, 1, 3]}, "frames are"),
        (lambda card: {}, "version None"),
    ],
)
def test_a_card_that_is_unsound_is_refused(card: Callable[[Any], Any], words: str) -> None:
    class Lying(WorldResponder):
        def introduction(self) -> Any:
            return {"world": card(self.card.to_json())}

    server = WebsocketServer(Lying(FakeWorld()), "127.0.0.1", 0)
    with running(server), pytest.raises(InputError, match=words):
        connect_world(f"ws://127.0.0.1:{server.port}")


def big(least: int, most: int | None, multiple: int = 1, **more: Any) -> FakeWorld:
    """Frames of 1 MiB."""
    can = Capabilities(chunk=Chunk(least, most, multiple), **more)
    return FakeWorld(frame_shape=(512, 683, 3), capabilities=can)


@pytest.mark.parametrize(
    ("world", "rows"),
    [
        (big(25, 25, 25), 10),
        (big(10, 20, 10), 12),
        (big(30, 30, 30, stride=3), 25),
        (big(1, None), 64),
        (big(1, 1000), 1),
        (big(1, 1, history=History(30)), 8),
        (big(1, 1, batch=4), 4),
        (FakeWorld(), 64),
    ],
)
def test_no_more_rows_are_announced_than_go_in_a_message(world: Any, rows: int) -> None:
    responder = WorldResponder(world)
    assert responder.card.capabilities.batch == rows
    can = world.capabilities
    frames = np.zeros((rows, can.history.frames, 1, *world.frame_shape), np.uint8)
    assert frames.nbytes < responder.most_request
    steps = can.chunk.least
    actions = np.zeros((rows, steps, 3), np.float32)
    assert actions_of({"actions": actions}, responder.card, rows) is actions


def test_a_world_of_which_no_row_goes_in_a_message_is_not_served() -> None:
    with pytest.raises(InputError, match="a step of 300 actions draws more than the 256 MiB of"):
        world_server(big(300, 300, 300), ServeOptions(port=0))


def test_rows_of_a_policys_call_fit_an_answer() -> None:
    with serving(big(1, None)) as remote:
        assert [rows_of_an_answer(remote, chunk) for chunk in (1, 25, 100)] == [245, 10, 2]
        with pytest.raises(InputError, match="would draw 300 actions in one step"):
            rows_of_an_answer(remote, 300)
    assert rows_of_an_answer(big(1, None), 300) is None


def test_one_state_at_a_time_is_not_shared_by_workers() -> None:
    world = FakeWorld(capabilities=Capabilities(branching="latest"))
    with serving(world) as remote:
        for on in ("processes", "ray"):
            with pytest.raises(InputError, match="workers would take it from each other"):
                check_shared(remote, on, 0)
            check_shared(remote, on, 1)
            check_shared(world, on, 2)  # each has its own
        check_shared(remote, "local", 0)
    with serving(FakeWorld()) as remote:
        check_shared(remote, "processes", 2)
