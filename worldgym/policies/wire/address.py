"""Where a policy's server is and how it is asked: ws://HOST:PORT?family=my/family.toml&chunk=8."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.named_source import NamedSource
from worldgym.policies.policy_protocol import Needs
from worldgym.policies.wire.family import MAX_CHUNK, OWN
from worldgym.wire.server_address import ServerAddress, has_scheme

SCHEMES = {"ws": "openpi", "wss": "openpi", "http": "openvla", "https": "openvla"}
MAX_CONNECTIONS = 64
OPTIONS = ("family", "chunk", "black", "from_zero", "timeout", "patience", "connections", "key_env")
FORM = "ws://HOST:PORT?family=NAME"


def is_address(source: str) -> bool:
    return has_scheme(source, SCHEMES)


@dataclass(frozen=True)
class Address:
    """family: a name or a TOML file, see `Family`.   chunk: actions carried out of an answer, None
    = the family's.

    black, from_zero: what the policy may be shown instead of what it needs, see `Needs`.
    connections: requests on their way at once.
    """

    server: ServerAddress
    family: str = OWN
    chunk: int | None = None
    black: bool = False
    from_zero: bool = False
    connections: int = 1

    @property
    def protocol(self) -> str:
        return SCHEMES[self.server.scheme]

    @property
    def default_name(self) -> str:
        """Of a policy whose server does not say its name: family, host and port."""
        return re.sub(
            r"^\W|[^\w.+@ -]",
            "_",
            f"{Path(self.family).stem}-{self.server.host}-{self.server.port}",
            flags=re.ASCII,
        )[:100]

    def allowed(self, needs: Needs) -> Needs:
        """With what the user allows instead of further views and a start state."""
        blackened = needs.cameras[1:] if self.black else needs.blackened
        return replace(needs, blackened=blackened, from_zero=needs.from_zero or self.from_zero)

    @staticmethod
    def parse(text: str) -> Address:
        """InputError names what is wrong."""
        source = NamedSource.parse(text)
        source.check_options(*OPTIONS)
        server = ServerAddress.of(source, FORM)
        if server.scheme not in SCHEMES:
            raise InputError(
                f'policy "{text}": it must look like {FORM}, without a user or a password'
            )
        if SCHEMES[server.scheme] == "openvla" and not server.path:
            server = replace(server, path="/act")
        return Address(
            server,
            source.options.get("family", OWN),
            source.whole("chunk", 1, MAX_CHUNK) if "chunk" in source.options else None,
            source.flag("black"),
            source.flag("from_zero"),
            source.whole("connections", Address.connections, MAX_CONNECTIONS),
        )
