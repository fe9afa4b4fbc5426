"""OpenVLA's REST protocol, the server's side: see `worldgym.policies.wire.openvla_client`.

Clients of others get the bare action, or the bare list of actions of a chunk, as from OpenVLA and
OpenVLA-OFT."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from worldgym.errors import InputError, WorldGymError
from worldgym.policies.wire.json_numpy import decode, encode
from worldgym.policies.wire.openvla_client import ABOUT
from worldgym.policies.wire.request_mapping import own_part
from worldgym.policies.wire.responder import Responder
from worldgym.wire.admission import MOST_CONNECTIONS, refusal
from worldgym.wire.wire_arrays import MAX_REQUEST

IDLE_SECONDS = 3600  # a client may think for long between two questions


class _Server(ThreadingHTTPServer):
    """Connections beyond the bound are closed at once."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()


class OpenvlaServer:
    """Serves until `stop`, one thread per connection. authorization: header wanted, or ""."""

    def __init__(self, responder: Responder, host: str, port: int, authorization: str = "") -> None:
        """InputError where the port cannot be had. port: 0 = any free one."""
        try:
            self._server = _Server((host, port), _handler(responder, authorization))
        except OSError as error:
            raise InputError(
                f"cannot serve on {host}:{port} ({error.strerror}); choose another --port or --host"
            ) from error
        self.port: int = self._server.server_address[1]

    def serve(self) -> None:
        with self._server:
            self._server.serve_forever()

    def stop(self) -> None:
        self._server.shutdown()


def _handler(responder: Responder, authorization: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps the connection, so that a restart is noticed
        timeout = IDLE_SECONDS
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path != ABOUT:
                self._send(404, {"error": f"GET {ABOUT} and POST /act are all there is"})
            elif self._admitted():
                self._send(200, responder.offer.to_message())

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isdecimal() or len(length) > 12 or int(length) > MAX_REQUEST:
                self.close_connection = True  # the body stays unread
                self._send(
                    413, {"error": f"a body needs a length of at most {MAX_REQUEST >> 20} MiB"}
                )
                return
            body = self.rfile.read(int(length))
            if self.path != "/act":
                self._send(404, {"error": f"GET {ABOUT} and POST /act are all there is"})
            elif self._admitted():
                self._answer(body)

        def _answer(self, body: bytes) -> None:
            """What the policy raises beyond our errors ends the connection after this answer; its
            traceback is printed."""
            status, answer = (
                500,
                dict[str, Any](error="the policy broke; the server's own log says why"),
            )
            try:
                status, answer = 200, _form(decode(body), responder)
            except WorldGymError as error:
                status, answer = 400, {"error": str(error)}
            finally:
                self._send(status, answer)

        def _admitted(self) -> bool:
            """Whether this client may ask; if not, the answer says why."""
            refused = refusal(self.headers, authorization)
            if refused is not None:
                self._send(refused[0], {"error": refused[1]})
            return refused is None

        def _send(self, status: int, answer: Any) -> None:
            body = encode(answer)
            try:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:  # the client went away
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            """Silence: one line per action would bury what matters."""

    return Handler


def _form(request: Any, responder: Responder) -> Any:
    """The whole answer for our own client; the bare action or chunk for others."""
    answer = responder.answer(request)
    if own_part(request):
        return answer
    rows = list(answer["actions"])
    return rows[0] if len(rows) == 1 else rows
