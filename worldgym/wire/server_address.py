"""Where a server is, how long it may take, and which key it needs:
ws://HOST:PORT?timeout=120&patience=60&key_env=NAME."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from worldgym.errors import InputError
from worldgym.io.named_source import NamedSource

PORT = 8000
WAITING = ("timeout", "patience", "key_env")  # the options that every address has


@dataclass(frozen=True)
class ServerAddress:
    """timeout: seconds for one answer.   patience: seconds that a server may be away.
    key_env: name of the environment variable that holds the server's key, "" = none."""

    scheme: str
    host: str
    port: int
    path: str = ""
    timeout: float = 120.0
    patience: float = 60.0
    key_env: str = ""

    @property
    def url(self) -> str:
        """Without options."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def secure(self) -> bool:
        return self.scheme in ("wss", "https")

    def headers(self) -> dict[str, str]:
        """With the key, as openpi's clients send it. InputError where its variable is not set."""
        if not self.key_env:
            return {}
        key = os.environ.get(self.key_env, "")
        if not key or not key.isascii() or not key.isprintable():
            raise InputError(
                f"no key for {self.url}: set the environment variable {self.key_env}, in plain "
                f"characters"
            )
        return {"Authorization": f"Api-Key {key}"}

    @staticmethod
    def of(source: NamedSource, form: str, timeout: float = 120.0) -> ServerAddress:
        """Of a source whose options are known to be right but for their values.   form: what it
        must look like, for messages.   timeout: where the source names none. InputError names what
        is wrong."""
        url, host, port = _split(source, form)
        path = "" if url.path == "/" else url.path
        return ServerAddress(
            url.scheme,
            host,
            port,
            path,
            source.seconds("timeout", timeout),
            source.seconds("patience", ServerAddress.patience),
            source.options.get("key_env", ""),
        )


def has_scheme(source: str, schemes: Mapping[str, object] | tuple[str, ...]) -> bool:
    """Whether a source is an address: "ws://..." where "ws" is among the schemes."""
    return "://" in source and source.partition("://")[0] in schemes


def _split(source: NamedSource, form: str) -> tuple[SplitResult, str, int]:
    """URL, host and port."""
    try:
        url = urlsplit(f"{source.kind}:{source.place}")
        port = PORT if url.port is None else url.port
        host = url.hostname or ""
        host.encode("idna")
        if not (url.path.isascii() and url.path.isprintable()):
            raise ValueError("its path must be of plain characters")
    except ValueError as error:
        raise InputError(
            f'{source.what} "{source.text}": {error}; it must look like {form}'
        ) from error
    if not host or url.username is not None or url.fragment:
        raise InputError(
            f'{source.what} "{source.text}": it must look like {form}, without a user or a password'
        )
    return url, host, port
