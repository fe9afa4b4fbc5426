"""The server itself, on loopback."""

from __future__ import annotations

import http.client
import statistics
import time

import pytest
from browser_pages import served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worldgym.errors import InputError
from worldgym.web.guard import SessionSecrets
from worldgym.web.web_server import WebServer

BODY = b"frame" * 1000


def test_a_body_does_not_wait_for_its_headers_to_be_acknowledged() -> None:
    def frame(request: Request) -> Response:
        return Response(BODY)

    app = Starlette(routes=[Route("/", frame)])
    with served(app, SessionSecrets()) as server:
        connection = http.client.HTTPConnection(server.origin.removeprefix("http://"))
        times = []
        for _ in range(60):  # the first of a connection are acknowledged at once
            began = time.perf_counter()
            connection.request("GET", "/")
            assert connection.getresponse().read() == BODY
            times.append(time.perf_counter() - began)
        connection.close()
    assert statistics.median(times) < 0.03


def test_it_answers_to_this_machine_alone() -> None:
    server = WebServer(Starlette(), SessionSecrets())
    assert server._socket.getsockname()[0] == "127.0.0.1"
    assert server.origin.startswith("http://127.0.0.1:")
    server._socket.close()


def test_a_port_that_cannot_be_had_is_named() -> None:
    first = WebServer(Starlette(), SessionSecrets())
    taken = int(first.origin.rsplit(":", 1)[1])
    with pytest.raises(InputError, match=f"port {taken} cannot be used"):
        WebServer(Starlette(), SessionSecrets(), taken)
    first._socket.close()
    with pytest.raises(InputError, match=r"from 0 \(any\) to 65535"):
        WebServer(Starlette(), SessionSecrets(), 70_000)
