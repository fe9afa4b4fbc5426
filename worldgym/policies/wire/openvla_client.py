"""OpenVLA's REST protocol, the client's side (read from openvla c8f03f4 and moojink/openvla-oft
213c5ff, vla-scripts/deploy.py).

POST /act with image and instruction; the body of the answer is the action, or a list of actions,
with no envelope. A model that failed answers "error" with HTTP 200. Only our own server says of
itself what it serves: GET /worldgym."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import Any

from worldgym.errors import ServerOutage
from worldgym.policies.wire.address import Address
from worldgym.policies.wire.family import OWN
from worldgym.policies.wire.json_numpy import decode, encode
from worldgym.wire.connection import AWAY, OPEN_SECONDS, Dropped, shortened
from worldgym.wire.wire_arrays import MAX_ANSWER, Malformed, sendable

ABOUT = f"/{OWN}"  # where our server says what it serves


class OpenvlaLink:
    def __init__(self, address: Address) -> None:
        """Connects, and keeps the connection. Dropped if nobody is there."""
        self._address = address
        self._headers = {"Content-Type": "application/json", **address.server.headers()}
        kind = HTTPSConnection if address.server.secure else HTTPConnection
        self._http = kind(address.server.host, address.server.port, timeout=OPEN_SECONDS)
        self.said = self._open()

    def ask(self, request: dict[str, Any]) -> Any:
        url, body = self._address.server.url, sendable(encode(request))
        # a server that closes after each answer
        if self._http.sock is None and self._open() != self.said:
            raise Dropped(f"{url}: the server is a different one now")
        data = self._in_time("POST", self._address.server.path, body)
        try:
            answer = decode(data)
        except Malformed as error:
            raise ServerOutage(f"{url}: the answer is {error}") from None
        if isinstance(answer, str):
            raise ServerOutage(
                f'{url}: the server answered "{shortened(answer)}"; its own log says why'
            )
        return answer

    def _open(self) -> bytes:
        """Connects and asks what is served."""
        with ExitStack() as stack:
            stack.callback(self.close)
            try:
                self._http.connect()
            except OSError as error:
                raise Dropped(f"{self._address.server.url}: cannot connect ({error})") from None
            self._http.sock.settimeout(self._address.server.timeout)
            said = self._in_time("GET", ABOUT, None) if self._address.family == OWN else b""
            stack.pop_all()
        return said

    def _in_time(self, method: str, path: str, body: bytes | None) -> bytes:
        """The whole exchange within the timeout, however slowly its bytes drip: then the connection
        is cut."""
        url = self._address.server.url
        late = threading.Event()
        sock = self._http.sock

        def cut() -> None:
            late.set()
            with suppress(OSError):  # closed meanwhile
                sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self._address.server.timeout, cut)
        timer.daemon = True
        timer.start()
        try:
            answer = self._exchange(method, path, body)
        except (OSError, HTTPException) as error:
            if not late.is_set() and not isinstance(error, TimeoutError):
                raise _broken(url, error) from None
            answer = b""
            late.set()
        finally:
            timer.cancel()
        if late.is_set():  # what came is cut short, even where nobody said how long it would be
            raise ServerOutage(
                f"{url}: no answer within {self._address.server.timeout:g} s; allow more time "
                f"with timeout="
            )
        return answer

    def _exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        self._http.request(method, path, body, self._headers)
        # an answer that is left unread would hold the socket
        with self._http.getresponse() as response:
            return _read(response, self._address.server.url, path)

    def close(self) -> None:
        self._http.close()


def _read(response: HTTPResponse, url: str, path: str) -> bytes:
    """The body. Dropped, IncompleteRead or ServerOutage where it is no answer."""
    announced = response.length or 0
    answer = response.read(MAX_ANSWER + 1) if announced <= MAX_ANSWER else b""
    if max(announced, len(answer)) > MAX_ANSWER:
        raise ServerOutage(f"{url}: the answer has more than {MAX_ANSWER >> 20} MiB")
    if response.length:  # `read` with a limit does not mind a body cut short
        raise IncompleteRead(answer, response.length)
    if response.status in AWAY:
        raise Dropped(f"{url}: HTTP {response.status}")
    if response.status != 200:
        words = shortened(answer.decode(errors="replace"))
        raise ServerOutage(f"{url}: HTTP {response.status} from {path}: {words or response.reason}")
    return answer


def _broken(url: str, error: Exception) -> Exception:
    """A connection that ended early may be had again; what is no HTTP will stay none."""
    if isinstance(error, HTTPException) and not isinstance(
        error, IncompleteRead | RemoteDisconnected
    ):
        return ServerOutage(f"{url}: the answer is not HTTP ({type(error).__name__})")
    return Dropped(f"{url}: the connection to the server was lost ({type(error).__name__})")
