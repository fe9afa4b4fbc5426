"""A connection to a server that may be lost and restored: opened when needed, reopened with
back-off up to a stated patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from worldgym.errors import ServerOutage
from worldgym.io.text import clean

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds between attempts, doubled each time
OPEN_SECONDS = 10.0  # for the handshake of one connection
AWAY = (502, 503, 504)  # HTTP: what proxies answer while the server behind them is away
SHOWN = 300  # characters of a server's complaint that enter a message


class Dropped(Exception):
    """The connection cannot be had, or broke: the same question may be asked again on another."""


class Link(Protocol):
    """One open connection.   said: what the server said of itself at the start, as bytes, b"" for
    nothing."""

    said: bytes

    def ask(self, request: dict[str, Any]) -> Any:
        """The answer, decoded. Dropped if the connection broke, ServerOutage if the answer is late,
        an error or nonsense."""
        ...

    def close(self) -> None: ...


T = TypeVar("T", bound=Link)


class Connection:
    """Asks one question at a time.   link: one that is open already.   patience: seconds that the
    server may be away.

    Once it was away for longer, each question gets one attempt only, so that a run with a dead
    server ends soon; an answer restores the patience.
    """

    def __init__(
        self,
        connect: Callable[[], Link],
        patience: float,
        link: Link | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connect = connect
        self._patience = patience
        self._link = link
        self._wait = wait
        self._away_since: float | None = None

    def ask(self, request: dict[str, Any]) -> Any:
        """The answer. ServerOutage where there is none, or none of use."""
        wait = FIRST_WAIT
        while True:
            try:
                return self._once(request)
            except Dropped as fault:
                now = time.monotonic()
                self._away_since = self._away_since if self._away_since is not None else now
                away = now - self._away_since
                if away + wait > self._patience:
                    raise ServerOutage(
                        f"{fault}; no answer for {away:.0f} s: start it and run this again"
                    ) from None
            self._wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _once(self, request: dict[str, Any]) -> Any:
        """On an open link. One that failed is not used again: a late answer on it would be taken
        for the next one's."""
        whole = False
        try:
            if self._link is None:
                self._link = self._connect()
            answer = self._link.ask(request)
            self._away_since = None
            whole = True
            return answer
        finally:
            if not whole:
                self.close()

    def close(self) -> None:
        link = self._link
        self._link = None
        if link is not None:
            link.close()


def same_server(connect: Callable[[], T], url: str) -> tuple[T, Callable[[], T]]:
    """An open link, and what opens another to the same server: what a server says of itself must
    not change within a run. Whatever `connect` raises passes."""
    link = connect()
    said = link.said

    def again() -> T:
        other = connect()
        if other.said != said:
            other.close()
            raise ServerOutage(
                f"{url}: the server offers something else than when the run began; start the "
                f"original one"
            )
        return other

    return link, again


def shortened(words: str) -> str:
    """A server's words on one line, bounded, without what a terminal obeys."""
    return " ".join(clean(words).split())[-SHOWN:]
