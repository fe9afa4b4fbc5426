"""A websocket with msgpack, the server's side: see `worldgym.wire.websocket_client`."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from worldgym.errors import InputError, MissingExtra, WorldGymError
from worldgym.wire.admission import MOST_CONNECTIONS, refusal
from worldgym.wire.msgpack_numpy import pack, unpack
from worldgym.wire.websocket_client import BROKEN
from worldgym.wire.wire_arrays import MAX_REQUEST


class Answering(Protocol):
    """What is served. Called from a thread for each connection."""

    def introduction(self) -> dict[str, Any]:
        """The first message to whoever connects."""
        ...

    def answer(self, request: Any) -> dict[str, Any]:
        """Malformed, or another WorldGymError, where there is none: its sentence is sent, and the
        connection ends."""
        ...


class WebsocketServer:
    """Serves until `stop`, one thread per connection. GET /healthz answers OK, as upstream.
    authorization: header wanted, or "".   most: bytes of a request."""

    def __init__(
        self,
        responder: Answering,
        host: str,
        port: int,
        authorization: str = "",
        most: int = MAX_REQUEST,
    ) -> None:
        """InputError where the port cannot be had. port: 0 = any free one."""
        try:
            from websockets.exceptions import ConnectionClosed
            from websockets.sync.server import serve
        except ImportError:
            raise MissingExtra("websockets", "remote", "a server at ws://") from None
        self._responder = responder
        self._closed = ConnectionClosed
        self._authorization = authorization
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._said = pack(responder.introduction())
        limits: dict[str, Any] = {
            "max_size": most,
            "compression": None,
            "close_timeout": 1.0,
            "ping_timeout": 120.0,
        }
        try:
            self._server = serve(self._converse, host, port, process_request=self._admit, **limits)
        except OSError as error:
            raise InputError(
                f"cannot serve on {host}:{port} ({error.strerror}); choose another --port or --host"
            ) from error
        self.port: int = self._server.socket.getsockname()[1]

    def serve(self) -> None:
        with self._server:
            self._server.serve_forever()

    def stop(self) -> None:
        self._server.shutdown()

    def _admit(self, connection: Any, request: Any) -> Any:
        """None = continue with the websocket."""
        if request.path == "/healthz":
            return connection.respond(200, "OK\n")
        if (refused := refusal(request.headers, self._authorization)) is not None:
            return connection.respond(refused[0], f"{refused[1]}\n")
        return None

    def _converse(self, connection: Any) -> None:
        if not self._places.acquire(blocking=False):
            self._complain(
                connection, f"{MOST_CONNECTIONS} connections are open already; close one"
            )
            return
        try:
            connection.send(self._said)
            for message in connection:
                connection.send(self._answer(message))
        except WorldGymError as error:
            self._complain(connection, str(error))
        except self._closed:
            pass
        finally:
            self._places.release()

    def _answer(self, message: str | bytes) -> bytes:
        return pack(self._responder.answer(unpack(message if isinstance(message, bytes) else b"")))

    def _complain(self, connection: Any, sentence: str) -> None:
        """As upstream: the words as a text message, then the end of the connection."""
        try:
            connection.send(sentence)
            connection.close(BROKEN, "see the message before")
        except self._closed:
            pass
