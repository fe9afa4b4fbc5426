"""A policy behind a server, as a policy: `load_policy("ws://HOST:PORT?family=my/family.toml")`.

The wire takes one observation at a time; the rows of a batch are asked for one by one, over as many
connections as allowed, so row b depends on row b alone. Copies of a row (a batch is filled up with
them) are asked for once; repeats of a trial are asked for one by one, since a server may draw its
answers at random.

Servers of others carry nothing between questions: the state only tells the trials apart. Our own
server returns a token for its policy's state; the caller keeps it. A restarted server does not know
the old tokens, and says so: the trial is run again from its start. Policies without memory have no
token, and simply continue."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import LifoQueue
from typing import Any

import numpy as np

from worldgym.actions.conventions import load_convention
from worldgym.errors import InputError, ServerOutage
from worldgym.io.files import sha256_file
from worldgym.io.waiting import awaited
from worldgym.policies.policy_protocol import Observation
from worldgym.policies.wire.address import Address
from worldgym.policies.wire.family import OWN, Family, load_family
from worldgym.policies.wire.openvla_client import OpenvlaLink
from worldgym.policies.wire.request_mapping import answer_actions, own_part, request_of
from worldgym.policies.wire.served_policy import Offer
from worldgym.types import Actions, Trial
from worldgym.wire.connection import Connection, Dropped, Link, same_server
from worldgym.wire.websocket_client import WebsocketLink
from worldgym.wire.wire_arrays import Malformed

LINKS: dict[str, Callable[[Address], Link]] = {
    "openpi": lambda address: WebsocketLink(address.server),
    "openvla": OpenvlaLink,
}


class RemotePolicy:
    """Asks a server. Its connections are closed with `close`, or when the object is deleted.

    Answers of families of others are held within the bounds of their convention, as a robot's
    controller does. identity: of the checkpoint that a server of ours serves, where it says so; of
    others the family."""

    def __init__(
        self, address: Address, family: Family, offer: Offer, lines: Sequence[Connection]
    ) -> None:
        self.name = offer.name
        self.spec = offer.spec
        self.chunk = address.chunk or offer.chunk
        self.needs = replace(address.allowed(offer.needs), elsewhere=True)
        self.identity = offer.fingerprint or None if family.own else _told_by(address.family)
        self._begin_family = family
        self._family = family.carrying(offer.needs) if family.own else family
        self._url = address.server.url
        self._lines: LifoQueue[Connection] = LifoQueue()
        for line in lines:
            self._lines.put(line)
        self._pool = (
            ThreadPoolExecutor(len(lines), thread_name_prefix="policy") if len(lines) > 1 else None
        )
        self._closing = weakref.finalize(self, _close_all, lines)

    def close(self) -> None:
        self._closing()

    def reset(self, trials: Sequence[Trial]) -> list[str | None]:
        """One token per trial, from a server of ours whose policy remembers; else what tells trials
        apart, which is never sent."""
        if not self._family.own:
            return [f"{trial.run_seed}/{trial.repeat}/{trial.task.name}" for trial in trials]
        answers = self._ask_all([self._beginning(trial) for trial in trials])
        return [self._token(answer) for answer in answers]

    def act(
        self, states: Sequence[str | None], observations: Sequence[Observation]
    ) -> tuple[list[str | None], Actions]:
        """ServerOutage if the server gives no usable answer to one of them."""
        keys = [
            (state, _seen(observation))
            for state, observation in zip(states, observations, strict=True)
        ]
        first = {key: b for b, key in reversed(list(enumerate(keys)))}
        answers = self._ask_all(
            [self._question(states[b], observations[b]) for b in first.values()]
        )
        read = {
            key: (self._after(key[0], answer), self._actions(answer))
            for key, answer in zip(first, answers, strict=True)
        }
        return [read[key][0] for key in keys], np.stack([read[key][1] for key in keys])

    def _beginning(self, trial: Trial) -> dict[str, Any]:
        task = trial.task
        known = {
            "task": task.name,
            "group": task.group,
            "nominal": task.nominal,
            "steps": task.steps,
            "repeat": trial.repeat,
        }
        begin = {
            **known,
            "run_seed": str(trial.run_seed),
        }  # as text: msgpack's numbers end at 64 bits
        return {
            **request_of(self._begin_family, Observation(task.frame, task.instruction, 0)),
            OWN: {"begin": begin},
        }

    def _question(self, state: str | None, observation: Observation) -> dict[str, Any]:
        request = request_of(self._family, observation)
        return (
            {**request, OWN: {"step": observation.step, "state": state}}
            if self._family.own
            else request
        )

    def _ask_all(self, requests: Sequence[dict[str, Any]]) -> list[Any]:
        if self._pool is None:
            return [self._ask(request) for request in requests]
        futures = [self._pool.submit(self._ask, request) for request in requests]
        try:
            return [*map(awaited, futures)]
        finally:
            for future in futures:
                future.cancel()

    def _ask(self, request: dict[str, Any]) -> Any:
        line = self._lines.get()
        try:
            return line.ask(request)
        finally:
            self._lines.put(line)

    def _actions(self, answer: Any) -> Actions:
        try:
            actions = answer_actions(self._family, answer, self.chunk, self.spec.size)
        except Malformed as error:
            raise ServerOutage(f"{self._url}: the answer has {error}") from None
        if self._family.own:
            return actions
        low, high = (np.asarray(bounds, np.float32) for bounds in (self.spec.low, self.spec.high))
        return np.clip(actions, low, high)

    def _after(self, state: str | None, answer: Any) -> str | None:
        return self._token(answer) if self._family.own else state

    def _token(self, answer: Any) -> str | None:
        try:
            token = own_part(answer).get("state")
        except Malformed as error:
            raise ServerOutage(f"{self._url}: the answer has {error}") from None
        if token is not None and not isinstance(token, str):
            raise ServerOutage(f"{self._url}: the answer has a state that is no token")
        return token


def connect_policy(source: str) -> RemotePolicy:
    """The policy at an address, see `Address`, speaking the server's own convention.

    InputError if nobody is there, or the family is unknown, or the server does not say what it
    serves."""
    address = Address.parse(source)
    family = load_family(address.family, address.protocol)
    try:
        link, again = same_server(lambda: LINKS[address.protocol](address), address.server.url)
    except (Dropped, ServerOutage) as fault:
        raise InputError(
            f"no policy server to use: {fault}; start it, or fix the address"
        ) from None
    lines = [
        Connection(again, address.server.patience, link),
        *(Connection(again, address.server.patience) for _ in range(address.connections - 1)),
    ]
    try:
        if family.own:
            offer = Offer.read(link.said, address)
            if (address.chunk or 0) > offer.chunk:
                raise InputError(
                    f"{source}: asks for chunks of {address.chunk} actions, and the server gives "
                    f"{offer.chunk}: ask for no more, or leave chunk= out"
                )
        else:
            offer = Offer(
                address.default_name,
                load_convention(family.convention),
                family.chunk,
                needs=family.needs,
            )
    except InputError:
        link.close()
        raise
    return RemotePolicy(address, family, offer, lines)


def _told_by(family: str) -> str:
    """The name of a known family, or the content of your own file."""
    return f"family {sha256_file(Path(family))[:12]}" if family.endswith(".toml") else family


def _seen(observation: Observation) -> Hashable:
    """Equal for observations that show the same."""
    images = [*observation.past, observation.frame, *observation.views.values()]
    numbers = (
        observation.step,
        observation.instruction,
        observation.past_states,
        observation.state,
    )
    return *numbers, *((image.shape, image.tobytes()) for image in images)


def _close_all(lines: Sequence[Connection]) -> None:
    for line in lines:
        line.close()
