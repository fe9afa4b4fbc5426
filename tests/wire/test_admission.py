"""Pages of a browser and connections beyond a bound are refused; programs with the key are
served."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from worldgym.policies.wire import openvla_server as serve_openvla
from worldgym.policies.wire.family import FAMILIES, OWN
from worldgym.policies.wire.openvla_client import ABOUT
from worldgym.policies.wire.openvla_server import OpenvlaServer
from worldgym.policies.wire.responder import Responder
from worldgym.testing import FakePolicy
from worldgym.wire import websocket_server as serve_openpi
from worldgym.wire.admission import BROWSERS, refusal
from worldgym.wire.websocket_server import WebsocketServer

client = pytest.importorskip("websockets.sync.client", reason="the extra [remote] is not installed")
pytest.importorskip("msgpack", reason="the extra [remote] is not installed")


@contextlib.contextmanager
def served(server: WebsocketServer | OpenvlaServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server.port
    finally:
        server.stop()
        thread.join()


def about(port: int, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", ABOUT, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("header", BROWSERS)
def test_a_page_is_refused_whatever_it_knows(header: str) -> None:
    refused = refusal({header: "http://127.0.0.1", "Authorization": "Api-Key k"}, "Api-Key k")
    assert refused is not None and refused[0] == 403


def test_a_program_needs_the_key_alone() -> None:
    assert refusal({"Authorization": "Api-Key k"}, "Api-Key k") is None and refusal({}, "") is None
    for headers in ({}, {"Authorization": "Api-Key l"}):
        refused = refusal(headers, "Api-Key k")
        assert refused is not None and refused[0] == 401


def test_the_rest_server_refuses_pages_and_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    responder = Responder(FakePolicy(), FAMILIES["openvla"][OWN])
    with served(OpenvlaServer(responder, "127.0.0.1", 0)) as port:
        assert about(port) == 200 and about(port, Origin="http://evil.example") == 403
    monkeypatch.setattr(serve_openvla, "MOST_CONNECTIONS", 2)
    with served(OpenvlaServer(responder, "127.0.0.1", 0)) as port:
        held = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(2)]
        for one in held:  # asked and answered, and still open
            one.sendall(f"GET {ABOUT} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert one.recv(4096).startswith(b"HTTP/1.1 200")
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            about(port)
        for one in held:
            one.close()


def test_the_websocket_server_refuses_pages_and_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    from websockets.exceptions import InvalidStatus

    monkeypatch.setattr(serve_openpi, "MOST_CONNECTIONS", 1)
    with served(
        WebsocketServer(Responder(FakePolicy(), FAMILIES["openpi"][OWN]), "127.0.0.1", 0)
    ) as port:
        address = f"ws://127.0.0.1:{port}"
        with pytest.raises(InvalidStatus) as refused:
            client.connect(address, origin="http://evil.example")
        assert refused.value.response.status_code == 403
        with client.connect(address) as first:
            assert isinstance(first.recv(10), bytes)
            with client.connect(address) as second:
                assert "connections are open already" in str(second.recv(10))
