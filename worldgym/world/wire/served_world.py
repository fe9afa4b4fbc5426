"""A world behind a server, as a world: `worldgym evaluate --world ws://HOST:PORT`. The states stay
on the server; the client holds a token. An unused state is released with the next call. A server
that was restarted, or had to forget a state, says so: a `ServerOutage`, after which the trials are
run again from their initial frames, never scored."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from worldgym.errors import InputError, ServerOutage
from worldgym.io.named_source import NamedSource
from worldgym.types import Actions, Frames
from worldgym.wire.connection import Connection, Dropped, same_server
from worldgym.wire.msgpack_numpy import unpack
from worldgym.wire.server_address import WAITING, ServerAddress, has_scheme
from worldgym.wire.websocket_client import WebsocketLink
from worldgym.wire.wire_arrays import Malformed
from worldgym.world.capabilities import WorldCard
from worldgym.world.wire.world_request import (
    MAX_BYTES,
    MAX_TOKEN,
    drawn_of,
    rows_that_fit,
    told_of,
)
from worldgym.world.world_protocol import Given, World
from worldgym.world.world_start import RobotStates, Start

SCHEMES = ("ws", "wss")
FORM = "ws://HOST:PORT?timeout=600"
TIMEOUT = 600.0  # seconds for one answer: other people's worlds take a minute a chunk


class ServedState:
    """rows: of the batch.   told: robot's states, float32 [B, h / k, S]."""

    def __init__(self, token: str, rows: int, told: RobotStates, release: list[str]) -> None:
        self.token = token
        self.rows = rows
        self.told = told
        weakref.finalize(self, release.append, token)


class ServedWorld:
    """Asks a server. Its connection is closed with `close`, or when the object is deleted.
    Implements `Conditioned` and `Proprioceptive` too, whatever the world behind it does."""

    def __init__(self, address: ServerAddress, card: WorldCard, line: Connection) -> None:
        self.card = card
        self.url = address.url
        self.name = card.name
        self.spec = card.spec
        self.frame_shape = card.frame_shape
        self.views = card.views
        self.capabilities = card.capabilities
        self._line = line
        self._release: list[str] = []
        self._lock = threading.Lock()
        self._closing = weakref.finalize(self, line.close)

    def reset(self, frames: Frames, seeds: Sequence[int]) -> ServedState:
        """Of a world that begins with an initial frame alone; InputError otherwise."""
        if self.capabilities.begins_with_more:
            raise InputError(f"the world {self.name} begins with more than an initial frame")
        none = np.zeros((len(frames), 0), np.float32)
        actions = np.zeros((len(frames), 0, self.spec.size), np.float32)
        return self.begin(Start(frames[:, None], seeds, actions, ("",) * len(frames), none))

    def begin(self, start: Start) -> ServedState:
        asked: dict[str, Any] = {
            "call": "reset",
            "frames": np.ascontiguousarray(start.frames),
            "seeds": [int(seed) for seed in start.seeds],
        }
        if self.capabilities.begins_with_more:
            asked["actions"] = np.ascontiguousarray(start.actions, np.float32)
            asked["instructions"] = list(start.instructions)
            asked["state"] = np.ascontiguousarray(start.state, np.float32)
        rows = len(start.frames)
        answer = self._ask(asked)
        return self._state(answer, rows, self._read(told_of, answer, rows, 0))

    def step(self, state: ServedState, actions: Actions) -> tuple[ServedState, Frames]:
        """ServerOutage if the server gives no usable answer, or has lost the state."""
        asked = {
            "call": "step",
            "state": state.token,
            "actions": np.ascontiguousarray(actions, np.float32),
        }
        answer = self._ask(asked)
        frames = actions.shape[1] // self.capabilities.stride
        drawn = self._read(drawn_of, answer, state.rows, frames)
        told = self._read(told_of, answer, state.rows, frames)
        return self._state(answer, state.rows, told), drawn

    def fork(self, state: ServedState) -> ServedState:
        """The same state under a second token, so that each can be released separately."""
        answer = self._ask({"call": "fork", "state": state.token})
        return self._state(answer, state.rows, state.told)

    def robot_states(self, state: ServedState) -> RobotStates:
        return state.told

    def close(self) -> None:
        """Releases all dropped states, if the server is reachable, and the connection."""
        with suppress(ServerOutage):
            self._ask({"call": "close"})
        self._closing()

    def _ask(self, request: dict[str, Any]) -> Any:
        with self._lock:
            released = self._release[:]
            if released:
                request = {**request, "release": released}
            answer = self._line.ask(request)
            del self._release[: len(released)]
            return answer

    def _read(self, reader: Any, answer: Any, rows: int, frames: int) -> Any:
        try:
            return reader(answer, self.card, rows, frames)
        except Malformed as error:
            raise ServerOutage(f"{self.url}: the answer has {error}") from None

    def _state(self, answer: Any, rows: int, told: RobotStates) -> ServedState:
        token = answer.get("state") if isinstance(answer, dict) else None
        if not isinstance(token, str) or len(token) > MAX_TOKEN:
            raise ServerOutage(f"{self.url}: the answer has a state that is no token")
        return ServedState(token, rows, told, self._release)


class CompletingServedWorld(ServedWorld):
    """One that draws initial views that a task does not bring."""

    def complete(self, frames: Frames, given: Given, seeds: Sequence[int]) -> Frames:
        asked = {
            "call": "complete",
            "frames": np.ascontiguousarray(frames),
            "given": np.ascontiguousarray(given),
            "seeds": [int(seed) for seed in seeds],
        }
        answer = self._ask(asked)
        drawn = answer.get("frames") if isinstance(answer, dict) else None
        if (
            not isinstance(drawn, np.ndarray)
            or drawn.dtype != np.uint8
            or drawn.shape != frames.shape
        ):
            raise ServerOutage(f"{self.url}: the answer has no frames uint8 {list(frames.shape)}")
        return drawn


def rows_of_an_answer(world: World[Any], chunk: int) -> int | None:
    """Rows of a step for `chunk` actions of a policy whose frames one answer of a server holds;
    None of a world that is not served. InputError where not even one fits."""
    if not isinstance(world, ServedWorld):
        return None
    sizes = world.capabilities.chunk
    longest = max(sizes.pieces(sizes.padded(chunk)) or [chunk])
    rows = rows_that_fit(world.card, longest)
    if not rows:
        raise InputError(
            f"the world {world.name} would draw {longest} actions in one step, whose frames are "
            f"more than the {MAX_BYTES >> 20} MiB of an answer: give a policy of fewer actions a "
            f"call"
        )
    return rows


def check_shared(world: World[Any], on: str, workers: int) -> None:
    """InputError where several workers would take each other's state from a server that keeps its
    newest alone."""
    latest = world.capabilities.branching == "latest"
    if isinstance(world, ServedWorld) and latest and on != "local" and workers != 1:
        raise InputError(
            f"the world {world.name} keeps its newest state alone, so workers would take it from "
            f"each other: remove --on, or give --workers 1"
        )


def is_served(source: str) -> bool:
    """Whether a world is named by the address of a server."""
    return has_scheme(source, SCHEMES)


def connect_world(text: str) -> ServedWorld:
    """The world at an address, see `ServerAddress`. InputError if nobody is there, or it is no
    world's server."""
    source = NamedSource.parse(text, "world")
    source.check_options(*WAITING)
    address = ServerAddress.of(source, FORM, TIMEOUT)

    def connect() -> WebsocketLink:
        return WebsocketLink(address, MAX_BYTES, MAX_BYTES)

    try:
        link, again = same_server(connect, address.url)
    except (Dropped, ServerOutage) as fault:
        raise InputError(f"no world server to use: {fault}; start it, or fix the address") from None
    try:
        card = _card(link.said, address.url)
    except InputError:
        link.close()
        raise
    kind = CompletingServedWorld if card.completes else ServedWorld
    return kind(address, card, Connection(again, address.patience, link))


def _card(said: bytes, url: str) -> WorldCard:
    try:
        message = unpack(said)
        if not isinstance(message, dict) or "world" not in message:
            raise InputError(
                f"{url}: the server serves no world; one is served with `worldgym world serve`"
            )
        return WorldCard.from_json(message["world"])
    except (Malformed, KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, InputError) and not isinstance(error, ValueError):
            raise
        raise InputError(f"{url}: the server's description is not a world's ({error})") from error
