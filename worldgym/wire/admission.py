"""Who may use our servers: programs, with the key if one is set, and not too many at once."""

from __future__ import annotations

import hmac
import os
from typing import Protocol

from worldgym.errors import InputError

LOOPBACK = ("127.0.0.1", "localhost")
MOST_CONNECTIONS = 64  # one thread each; an evaluation opens a few
# headers that every browser sends with a request of a page's script, and no program
BROWSERS = ("Origin", "Sec-Fetch-Site")


class Headers(Protocol):
    """As http.server's and websockets' are: names in any case."""

    def get(self, name: str, default: str, /) -> str: ...


def refusal(headers: Headers, authorization: str) -> tuple[int, str] | None:
    """HTTP status and a sentence for a request that is not admitted, else None.

    A page in a browser may be anybody's, also where only this machine can connect.
    authorization: the header wanted, or "".
    """
    if any(headers.get(name, "") for name in BROWSERS):
        return 403, "requests from browser pages are refused"
    given = headers.get("Authorization", "")
    if authorization and not hmac.compare_digest(authorization.encode(), given.encode()):
        return 401, "a key is needed"
    return None


def authorization(host: str, key_env: str) -> str:
    """The header that clients must send, "" = none. InputError where a key is lacking: it must be
    there when other machines can connect."""
    key = os.environ.get(key_env, "") if key_env else ""
    if key_env and not key:
        raise InputError(f"no key: set the environment variable {key_env}, or leave out --key-env")
    if not key and host not in LOOPBACK:
        raise InputError(
            f"--host {host} lets other machines connect: set a key in an environment variable and "
            f"name "
            f"it in --key-env"
        )
    return f"Api-Key {key}" if key else ""
