"""The server side of a served world: any world, with its states kept here behind tokens. A token
stands for the state of a whole batch. It stays valid after a step, so a request may be repeated; a
world that keeps its newest state alone ("latest") forgets the one before. The states that were
unused for longest are dropped first, and a request for one gets an error: the evaluator runs those
trials again."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from worldgym.errors import ServerOutage, WorldGymError
from worldgym.io.user_code import Failure, attempt
from worldgym.wire.kept_states import KeptStates
from worldgym.wire.wire_arrays import Malformed
from worldgym.world.capabilities import WorldCard
from worldgym.world.wire.world_request import (
    MAX_BYTES,
    actions_of,
    beginning_of,
    completing_of,
    most_request,
    released_of,
    rows_that_fit,
    token_of,
)
from worldgym.world.world_answers import completed, robot_states, stepped
from worldgym.world.world_protocol import Completing, World
from worldgym.world.world_start import Conditioned, Start

T = TypeVar("T")
MAX_STATES = 64  # kept, of whole batches
MAX_ROWS = 64  # of a call, where the world itself knows no bound
Answer = dict[str, Any]


@dataclass(frozen=True)
class BatchState:
    """rows: of its batch."""

    state: Any
    rows: int


class WorldResponder:
    """One call after the other, for any number of connections.

    states: kept at most.   rows: of a call at most; fewer where the frames of its longest step are
    more than a message holds.   details: see `WorldCard`. ValueError where what the world says is
    unsound, or not one row of its shortest step goes in a message."""

    def __init__(
        self,
        world: World[Any],
        states: int = MAX_STATES,
        rows: int = MAX_ROWS,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        card = WorldCard.of(world, isinstance(world, Completing), details)
        can = card.capabilities
        if not rows_that_fit(card, can.chunk.least):
            raise ValueError(
                f"a step of {can.chunk.least} actions draws more than the {MAX_BYTES >> 20} MiB of "
                f"a message even for one row: draw smaller frames, or take shorter steps"
            )
        longest = rows_that_fit(card, can.chunk.most or can.chunk.least)
        self._rows = min(rows, can.batch or rows, max(longest, 1))
        self.card = replace(card, capabilities=replace(can, batch=self._rows))
        self._world = world
        self._states = KeptStates[BatchState](1 if can.branching == "latest" else states)
        self._lock = threading.Lock()
        self._calls: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
            "reset": self._reset,
            "complete": self._complete,
            "step": self._step,
            "fork": self._fork,
            "close": lambda request: {},
        }

    @property
    def most_request(self) -> int:
        """Bytes."""
        return most_request(self.card, self._rows)

    @property
    def kept(self) -> int:
        """States held now."""
        return len(self._states)

    def introduction(self) -> dict[str, Any]:
        return {"world": self.card.to_json()}

    def answer(self, request: Any) -> Answer:
        """Malformed for a request that is none, ServerOutage where the state is lost or the world
        breaks."""
        call = request.get("call") if isinstance(request, Mapping) else None
        if not isinstance(call, str) or call not in self._calls:
            raise Malformed(f'"call" must be one of {", ".join(self._calls)}')
        with self._lock:
            for token in released_of(request):
                self._states.drop(token)
            return self._calls[call](request)

    def _reset(self, request: Mapping[str, Any]) -> Answer:
        start = beginning_of(request, self.card, self._rows)
        world = self._world
        if isinstance(world, Conditioned):
            begin: Callable[[Start], Any] = world.begin
            state = self._ask(lambda: begin(start))
        else:
            state = self._ask(lambda: world.reset(start.frames[:, -1], start.seeds))
        rows = len(start.frames)
        told = self._told(state, rows, 0)
        return {"state": self._states.keep(BatchState(state, rows)), **told}

    def _complete(self, request: Mapping[str, Any]) -> Answer:
        world = self._world
        if not isinstance(world, Completing):
            raise Malformed("this world draws no views that a task does not bring")
        completing = world
        asked = completing_of(request, self.card, self._rows)
        return {"frames": self._ask(lambda: completed(completing, self.card.name, *asked))}

    def _step(self, request: Mapping[str, Any]) -> Answer:
        token = token_of(request)
        before = self._known(token)
        actions = actions_of(request, self.card, before.rows)
        started = time.perf_counter()
        if self._states.most == 1:  # whatever happens, the world has gone on from it
            self._states.drop(token)
        state, frames = self._ask(lambda: stepped(self._world, before.state, actions))
        told = self._told(state, *frames.shape[:2])
        after = self._states.keep(BatchState(state, before.rows))
        seconds = time.perf_counter() - started
        return {"state": after, "frames": frames, "seconds": seconds, **told}

    def _fork(self, request: Mapping[str, Any]) -> Answer:
        before = self._known(token_of(request))
        if self._states.most == 1:
            raise Malformed("this world has one state at a time, which cannot be forked")
        return {"state": self._states.keep(before)}

    def _told(self, state: Any, rows: int, frames: int) -> Answer:
        if not self.card.capabilities.returns:
            return {}
        return {"robot_state": self._ask(lambda: robot_states(self._world, state, rows, frames))}

    def _known(self, token: str) -> BatchState:
        if token not in self._states:
            raise ServerOutage(
                f"the state of these trials is not known here: the server was restarted, or keeps "
                f"{self._states.most} at most"
            )
        return self._states[token]

    def _ask(self, call: Callable[[], T]) -> T:
        """What the world answers. Its own server's terminal shows where it broke."""
        answer = attempt(call)
        if not isinstance(answer, Failure):
            return answer
        if isinstance(answer.error, WorldGymError):
            raise answer.error
        traceback.print_exception(answer.error, file=sys.stderr)
        raise ServerOutage(f"the world failed: {answer.reason}") from answer.error
