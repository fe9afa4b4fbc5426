"""Serve a world from its own environment: NumPy, websockets and msgpack, and nothing else of ours
is imported, torch least of all.

    from worldgym.world.wire.world_server import serve_world

    serve_world(MyWorld("weights/"))          # then: worldgym evaluate --world ws://127.0.0.1:8000

A world has the members of `worldgym.world.world_protocol.World`; docs/worlds.md shows one in twenty
lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worldgym.errors import InputError
from worldgym.wire.admission import LOOPBACK, authorization
from worldgym.wire.server_address import PORT
from worldgym.wire.websocket_server import WebsocketServer
from worldgym.world.wire.world_responder import MAX_ROWS, MAX_STATES, WorldResponder
from worldgym.world.world_protocol import World


@dataclass(frozen=True)
class ServeOptions:
    """host: address to listen on; others than this machine's own need `key_env`, the name of the
    environment variable with the key that clients must give.   port: 0 = any free one.
    states: kept at most.   rows: of a call at most.   details: see `WorldCard`."""

    host: str = LOOPBACK[0]
    port: int = PORT
    key_env: str = ""
    states: int = MAX_STATES
    rows: int = MAX_ROWS
    details: Mapping[str, Any] = field(default_factory=dict)


def world_server(world: World[Any], options: ServeOptions) -> WebsocketServer:
    """Listens; `serve` of the result answers. InputError where an option or the world is
    unsound."""
    if min(options.states, options.rows) < 1:
        raise InputError("--states and --rows must be 1 or more")
    key = authorization(options.host, options.key_env)
    try:
        responder = WorldResponder(world, options.states, options.rows, options.details)
    except (ValueError, TypeError) as error:
        raise InputError(f"the world {world.name} cannot be served: {error}") from error
    return WebsocketServer(responder, options.host, options.port, key, responder.most_request)


def serve_world(world: World[Any], options: ServeOptions = ServeOptions()) -> None:
    """Serves a world until Ctrl-C, and prints its address."""
    server = world_server(world, options)
    print(f"{world.name}: ws://{options.host}:{server.port}", flush=True)
    try:
        server.serve()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
