"""Serves an app on loopback, at an address that carries the secret of the session."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp

from worldgym.errors import InputError
from worldgym.web.guard import SessionSecrets


class WebServer:
    """`serve` answers until it is interrupted, or `stop` is called."""

    def __init__(self, app: ASGIApp, secret: SessionSecrets, port: int = 0) -> None:
        """port: 0 = any free one. InputError if it is taken or none."""
        if not 0 <= port < 2**16:
            raise InputError(f"--port is {port}: give one from 0 (any) to 65535")
        # asyncio sends small parts at once only where a socket names its protocol: headers and body
        # go out apart, and the body would wait 40 ms until the headers are acknowledged
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
            self._socket.listen()  # a browser that is sooner than the server waits
        except OSError as error:
            self._socket.close()
            raise InputError(
                f"port {port} cannot be used ({error.strerror}); choose another --port"
            ) from error
        self._secret = secret
        config = uvicorn.Config(
            app,
            log_level="critical",  # a page tells of its faults; streams that end with us are none
            access_log=False,  # addresses hold the secret
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def url(self, path: str = "/") -> str:
        """The address to open first; after it a cookie does."""
        return f"{self.origin}{path}?token={self._secret.session}"

    def serve(self) -> None:
        try:
            self._server.run([self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """From another thread, or from a page."""
        self._server.should_exit = True
