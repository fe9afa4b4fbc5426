"""Who may ask the local server, and for what: checked before any page is.

A server on loopback can be reached by every page of the browser and by every user of the machine:

- the Host header must name loopback, so that a name which an attacker points at 127.0.0.1 (DNS
  rebinding) gets nothing; an Origin, where there is one, must be this server's own;
- a session needs the secret of the address that the command printed; a cookie keeps it, whose name
  has the port, because a browser sends the cookies of all ports of a host to each of them;
- what changes anything needs a second secret, which only our own pages know, in a header;
- bodies are bounded while they are read, whatever length they claim.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
COOKIE = "worldgym-session"  # and the port
WRITE_HEADER = "x-worldgym-token"
MAX_BODY = 8 * 2**20  # bytes of an upload
SAFE = ("GET", "HEAD")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True)
class SessionSecrets:
    """session: part of the address.   write: known to our own pages alone. New ones every start,
    written nowhere."""

    session: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    write: str = field(default_factory=lambda: secrets.token_urlsafe(18))


class Guard:
    """ASGI middleware around the app."""

    def __init__(self, app: ASGIApp, secret: SessionSecrets) -> None:
        self.app = app
        self.secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websocket is offered
        refusal = self._refusal(scope)
        answer = self.app if refusal is None else refusal
        await answer(scope, _bounded(receive), _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """What to answer instead of a page; None lets the request through."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host_name(host) not in LOOPBACK:
            return PlainTextResponse(
                "this server accepts connections from this machine only", status_code=421
            )
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return PlainTextResponse("requests from other pages are refused", status_code=403)
        if (session := self._session(scope, headers)) is not None:
            return session
        if scope["method"] in SAFE:
            return None
        if not _same(headers.get(WRITE_HEADER, ""), self.secret.write):
            return PlainTextResponse(
                "changes are only accepted from the app's own pages", status_code=403
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return PlainTextResponse(f"more than {MAX_BODY >> 20} MiB", status_code=413)
        return None

    def _session(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        """None for a request of a session; a redirect that begins one; else a refusal."""
        cookie = cookie_name(headers.get("host", ""))
        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if any(name == "token" and _same(value, self.secret.session) for name, value in asked):
            rest = urlencode([(name, value) for name, value in asked if name != "token"])
            path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
            begun = RedirectResponse(_local(path) + (f"?{rest}" if rest else ""), status_code=303)
            begun.set_cookie(cookie, self.secret.session, httponly=True, samesite="strict")
            return begun
        if _same(cookie_parser(headers.get("cookie", "")).get(cookie, ""), self.secret.session):
            return None
        return PlainTextResponse(
            "open the address that the command printed: it ends with a token", status_code=403
        )


def host_name(host: str) -> str:
    """The name in a Host header, without its port; "" where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        return "" if parts.username is not None or parts.path else parts.hostname or ""
    except ValueError:
        return ""


def cookie_name(host: str) -> str:
    """Of the cookie of the server at a Host header: apps on other ports keep theirs."""
    try:
        port = urlsplit(f"//{host}").port
    except ValueError:
        port = None
    return COOKIE if port is None else f"{COOKIE}-{port}"


def _local(path: str) -> str:
    """A path of this server: never "//elsewhere", which a browser takes for another."""
    return "/" + path.lstrip("/\\")


def _same(given: str, known: str) -> bool:
    return secrets.compare_digest(given.encode(), known.encode())


def _bounded(receive: Receive) -> Receive:
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY:
            raise HTTPException(413, f"more than {MAX_BODY >> 20} MiB")
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sent
