"""A websocket with msgpack, the client's side, in the form of openpi (read from openpi 15a9616,
packages/openpi-client; with its server tried): for policies and for worlds.

The server speaks first: one binary message, what it says of itself. Then question and answer in
turn, both msgpack. A text message is the server's traceback. Pings are left out: servers that think
on their event loop do not answer them."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any

from worldgym.errors import MissingExtra, ServerOutage
from worldgym.wire.connection import AWAY, OPEN_SECONDS, Dropped, shortened
from worldgym.wire.msgpack_numpy import pack, unpack
from worldgym.wire.server_address import ServerAddress
from worldgym.wire.wire_arrays import MAX_ANSWER, MAX_REQUEST, Malformed, sendable

# close codes of RFC 6455: the server failed on this message; the message is too large
BROKEN = 1011
TOO_LARGE = 1009


class WebsocketLink:
    """most_request, most_answer: bytes of a message to the server, and of one from it."""

    def __init__(
        self,
        address: ServerAddress,
        most_request: int = MAX_REQUEST,
        most_answer: int = MAX_ANSWER,
    ) -> None:
        """Connects. Dropped if nobody is there, ServerOutage if it is no such server or refuses the
        key."""
        try:
            from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
            from websockets.sync.client import connect
        except ImportError:
            raise MissingExtra("websockets", "remote", "a server at ws://") from None
        self._address = address
        self._most = (most_request, most_answer)
        self._closed = ConnectionClosed
        options: dict[str, Any] = {
            "compression": None,
            "ping_interval": None,
            "proxy": None,
            "max_size": most_answer,
        }
        options |= {
            "open_timeout": OPEN_SECONDS,
            "close_timeout": 1.0,
            "additional_headers": address.headers(),
        }
        with ExitStack() as stack:
            try:
                self._socket = stack.enter_context(connect(address.url, **options))
            except InvalidStatus as error:
                raise _refused(address.url, error.response.status_code) from None
            except (OSError, InvalidHandshake) as error:
                raise Dropped(f"{address.url}: cannot connect ({error})") from None
            # to send: a server that stands still takes nothing off the wire
            with suppress(OSError):  # closed already; what it said before is read below
                self._socket.socket.settimeout(address.timeout)
            self.said = self._receive()
            self._stack = stack.pop_all()

    def ask(self, request: dict[str, Any]) -> Any:
        try:
            self._socket.send(sendable(pack(request), self._most[0]))
        except self._closed as error:
            raise self._fault(error) from None
        answer = self._receive()
        try:
            return unpack(answer)
        except Malformed as error:
            raise ServerOutage(f"{self._address.url}: the answer is {error}") from None

    def _receive(self) -> bytes:
        url = self._address.url
        try:
            message: str | bytes = self._socket.recv(self._address.timeout)
        except self._closed as error:
            raise self._fault(error) from None
        except TimeoutError:
            raise ServerOutage(
                f"{url}: no answer within {self._address.timeout:g} s; allow more time with "
                f"timeout="
            ) from None
        if isinstance(message, str):
            raise ServerOutage(f"{url}: the server failed: {shortened(message)}")
        return message

    def _fault(self, error: Any) -> Exception:
        """What a closed connection means: one of the two failed on a message, or the connection to
        the server was lost."""
        url = self._address.url
        ours = error.sent
        theirs = error.rcvd
        if ours is not None and ours.code == TOO_LARGE:
            return ServerOutage(f"{url}: the answer has more than {self._most[1] >> 20} MiB")
        if ours is not None and theirs is None:
            return ServerOutage(
                f"{url}: the answer is no websocket message ({ours.code} {shortened(ours.reason)})"
            )
        if theirs is not None and theirs.code in (BROKEN, TOO_LARGE):
            return ServerOutage(
                f"{url}: the server failed on this question ({theirs.code} "
                f"{shortened(theirs.reason)})"
            )
        return Dropped(f"{url}: the connection to the server was lost")

    def close(self) -> None:
        self._stack.close()


def _refused(url: str, status: int) -> Exception:
    """A proxy whose server is away answers 502 to 504; what else is no websocket stays none."""
    if status in AWAY:
        return Dropped(f"{url}: HTTP {status} instead of a websocket")
    return ServerOutage(
        f"{url}: HTTP {status} instead of a websocket; check the address and the key"
    )
