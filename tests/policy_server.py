"""A policy server in another process: `python policy_server.py PORT PROTOCOL POLICY`, and what
starts, kills and restarts it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from served_process import ServedProcess

from worldgym.policies.policy_protocol import NEWEST_FRAME, Needs, Observation, Policy
from worldgym.testing import FAKE_SPEC, FakePolicy
from worldgym.types import Actions, Trial

SCHEMES = {"openpi": "ws", "openvla": "http"}


@dataclass(frozen=True)
class SeeingPolicy:
    """Acts on what it sees alone: the means of three parts of the frame. No memory."""

    chunk: int = 2
    name: str = "seeing"
    spec = FAKE_SPEC
    needs = NEWEST_FRAME

    def reset(self, trials: Sequence[Trial]) -> list[None]:
        return [None] * len(trials)

    def act(
        self, states: Sequence[None], observations: Sequence[Observation]
    ) -> tuple[list[None], Actions]:
        means = [
            [part.mean() / 127.5 - 1.0 for part in np.array_split(o.frame, 3, axis=1)]
            for o in observations
        ]
        rows = (
            np.asarray(means, np.float32)[:, None]
            * np.linspace(1.0, 0.5, self.chunk, dtype=np.float32)[:, None]
        )
        return list(states), rows


@dataclass(frozen=True)
class RecallingPolicy(SeeingPolicy):
    """Acts on three frames, two views and the robot's state, now and before: the one that would
    notice a lost digit."""

    name: str = "recalling"
    needs = Needs(3, ("front", "wrist"), ("wrist",), ("x", "y", "gripper_open"), from_zero=True)

    def act(
        self, states: Sequence[None], observations: Sequence[Observation]
    ) -> tuple[list[None], Actions]:
        _, rows = super().act(states, observations)
        for row, seen in zip(rows, observations, strict=True):
            shown = [
                seen.history[0].mean() / 255.0,
                seen.views["front"].mean() / 255.0,
                float(seen.views["wrist"].any()),
            ]
            row *= np.sin(1e4 * np.array([*seen.state, *seen.past_states[0], *shown])).mean()
        return list(states), rows


POLICIES: dict[str, Policy[Any]] = {
    "remembering": FakePolicy(level=0.6, spread=0.4, chunk=3, name="remembering"),
    "seeing": SeeingPolicy(),
    "recalling": RecallingPolicy(),
    "another": SeeingPolicy(name="another"),
}


class Server(ServedProcess):
    """One served policy."""

    def __init__(self, protocol: str, policy: str) -> None:
        super().__init__(__file__, SCHEMES[protocol], protocol, policy)


def main(port: str, protocol: str, policy: str) -> None:
    from worldgym.policies.wire.family import FAMILIES, OWN
    from worldgym.policies.wire.openvla_server import OpenvlaServer
    from worldgym.policies.wire.responder import Responder
    from worldgym.wire.websocket_server import WebsocketServer

    kind = WebsocketServer if protocol == "openpi" else OpenvlaServer
    server = kind(Responder(POLICIES[policy], FAMILIES[protocol][OWN]), "127.0.0.1", int(port))
    print(server.port, flush=True)
    server.serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
