"""Where a policy's server is and how it is asked: ws://HOST:PORT?family=droid&chunk=8."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from worldgym.errors import InputError
from worldgym.policies.protocol import NAME
from worldgym.policies.wire.family import MAX_CHUNK, OWN

SCHEMES = {"ws": "openpi", "wss": "openpi", "http": "openvla", "https": "openvla"}
PORT = 8000
OPTIONS = ("family", "chunk", "name", "timeout", "patience", "connections", "key_env")


def is_address(source: str) -> bool:
    return source.partition("://")[0] in SCHEMES and "://" in source


@dataclass(frozen=True)
class Address:
    """family: a name or a TOML file, see `Family`.   chunk: actions carried out of an answer, None = the family's.

    name: the policy's in the log, "" = what the server says, or family, host and port.   timeout: seconds for one answer.
    patience: seconds that a server may be away.   connections: requests on their way at once.
    key_env: name of the environment variable that holds the server's key, "" = none.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    family: str = OWN
    chunk: int | None = None
    name: str = ""
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
        return re.sub(r"^\W|[^\w.+@ -]", "_", f"{Path(self.family).stem}-{self.host}-{self.port}", flags=re.ASCII)[:100]

    def headers(self) -> dict[str, str]:
        """With the key, as openpi's clients send it. InputError where its variable is not set."""
        if not self.key_env:
            return {}
        key = os.environ.get(self.key_env, "")
        if not key or not key.isascii() or not key.isprintable():
            raise InputError(f"no key for {self.url}: set the environment variable {self.key_env}, in plain characters")
        return {"Authorization": f"Api-Key {key}"}

    @staticmethod
    def parse(text: str) -> Address:
        """InputError names what is wrong."""
        try:
            url = urlsplit(text)
            port, host = url.port or PORT, url.hostname or ""
            pairs = parse_qsl(url.query, keep_blank_values=True, strict_parsing=True) if url.query else []
        except ValueError as error:
            raise InputError(f'policy "{text}": {error}; it must look like ws://HOST:PORT?family=NAME') from error
        if url.scheme not in SCHEMES or not host or url.username is not None or url.fragment:
            raise InputError(f'policy "{text}": it must look like ws://HOST:PORT?family=NAME, without a user or a password')
        options = dict(pairs)
        if len(options) < len(pairs) or (unknown := [name for name in options if name not in OPTIONS]):
            what = "an option twice" if len(options) < len(pairs) else f'the unknown option "{unknown[0]}"'
            raise InputError(f'policy "{text}": {what}; options are {", ".join(OPTIONS)}')
        if "name" in options and not NAME.fullmatch(options["name"]):
            raise InputError(f'policy "{text}": name must be letters, digits and any of _ . + @ - or space')
        return Address(
            url.scheme,
            host,
            port,
            url.path if url.path not in ("", "/") else "/act" if SCHEMES[url.scheme] == "openvla" else "",
            options.get("family", OWN),
            _whole(text, options, "chunk", MAX_CHUNK) if "chunk" in options else None,
            options.get("name", ""),
            _seconds(text, options, "timeout", Address.timeout),
            _seconds(text, options, "patience", Address.patience),
            _whole(text, options, "connections", 64) if "connections" in options else 1,
            options.get("key_env", ""),
        )


def _whole(text: str, options: dict[str, str], name: str, most: int) -> int:
    value = options[name]
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= most:
        raise InputError(f'policy "{text}": {name} must be a whole number from 1 to {most}')
    return int(value)


def _seconds(text: str, options: dict[str, str], name: str, default: float) -> float:
    value = options.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", value) or float(value) == 0.0:
        raise InputError(f'policy "{text}": {name} must be seconds above 0')
    return float(value)
