"""Who may ask a policy's server: programs, with the key where one is set, and not too many at
once."""

from __future__ import annotations

import hmac
from typing import Protocol

MOST_CONNECTIONS = 64  # a thread each; an evaluation opens a few
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
        return 403, "pages of a browser are not served"
    given = headers.get("Authorization", "")
    if authorization and not hmac.compare_digest(authorization.encode(), given.encode()):
        return 401, "a key is needed"
    return None
