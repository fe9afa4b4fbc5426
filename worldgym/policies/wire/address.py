"""Where a policy's server is and how it is asked: ws://HOST:PORT?family=my/family.toml&chunk=8."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from worldgym.errors import InputError
from worldgym.policies.policy_protocol import Needs
from worldgym.policies.policy_source import PolicySource
from worldgym.policies.wire.family import MAX_CHUNK, OWN

SCHEMES = {"ws": "openpi", "wss": "openpi", "http": "openvla", "https": "openvla"}
PORT = 8000
MAX_CONNECTIONS = 64
OPTIONS = ("family", "chunk", "black", "from_zero", "timeout", "patience", "connections", "key_env")


def is_address(source: str) -> bool:
    return source.partition("://")[0] in SCHEMES and "://" in source


@dataclass(frozen=True)
class Address:
    """family: a name or a TOML file, see `Family`.   chunk: actions carried out of an answer, None
    = the family's.

    black, from_zero: what the policy may be shown instead of what it needs, see `Needs`.   timeout:
    seconds for one answer.
    patience: seconds that a server may be away.   connections: requests on their way at once.
    key_env: name of the environment variable that holds the server's key, "" = none.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    family: str = OWN
    chunk: int | None = None
    black: bool = False
    from_zero: bool = False
    timeout: float = 120.0
    patience: float = 60.0
    connections: int = 1
    key_env: str = ""

    @property
    def protocol(self) -> str:
        return SCHEMES[self.scheme]

    @property
    def url(self) -> str:
        """Without options."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def secure(self) -> bool:
        return self.scheme in ("wss", "https")

    @property
    def default_name(self) -> str:
        """Of a policy whose server does not say its name: family, host and port."""
        return re.sub(
            r"^\W|[^\w.+@ -]",
            "_",
            f"{Path(self.family).stem}-{self.host}-{self.port}",
            flags=re.ASCII,
        )[:100]

    def allowed(self, needs: Needs) -> Needs:
        """With what the user allows in place of further views and a start state."""
        blackened = needs.cameras[1:] if self.black else needs.blackened
        return replace(needs, blackened=blackened, from_zero=needs.from_zero or self.from_zero)

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
    def parse(text: str) -> Address:
        """InputError names what is wrong."""
        source = PolicySource.parse(text)
        source.check_options(*OPTIONS)
        try:
            url = urlsplit(f"{source.kind}:{source.place}")
            port = PORT if url.port is None else url.port
            host = url.hostname or ""
            host.encode("idna")
            if not (url.path.isascii() and url.path.isprintable()):
                raise ValueError("its path must be of plain characters")
        except ValueError as error:
            raise InputError(
                f'policy "{text}": {error}; it must look like ws://HOST:PORT?family=NAME'
            ) from error
        if url.scheme not in SCHEMES or not host or url.username is not None or url.fragment:
            raise InputError(
                f'policy "{text}": it must look like ws://HOST:PORT?family=NAME, without a user or '
                f"a password"
            )
        return Address(
            url.scheme,
            host,
            port,
            url.path
            if url.path not in ("", "/")
            else "/act"
            if SCHEMES[url.scheme] == "openvla"
            else "",
            source.options.get("family", OWN),
            source.whole("chunk", 1, MAX_CHUNK) if "chunk" in source.options else None,
            source.flag("black"),
            source.flag("from_zero"),
            source.seconds("timeout", Address.timeout),
            source.seconds("patience", Address.patience),
            source.whole("connections", Address.connections, MAX_CONNECTIONS),
            source.options.get("key_env", ""),
        )
