"""States that a server keeps behind tokens; those unused for longest are dropped first."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Generic, TypeVar

S = TypeVar("S")


class KeptStates(Generic[S]):
    """most: kept at once. A token of another start of the server is unknown here."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._life = secrets.token_hex(8)
        self._count = 0
        self._states: OrderedDict[str, S] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    def keep(self, state: S) -> str:
        """=> its token."""
        self._count += 1
        token = f"{self._life}-{self._count}"
        self._states[token] = state
        while len(self._states) > self.most:
            self._states.popitem(last=False)
        return token

    def __contains__(self, token: object) -> bool:
        return token in self._states

    def __getitem__(self, token: str) -> S:
        """KeyError if it is not known. From now on it is the one used last."""
        self._states.move_to_end(token)
        return self._states[token]

    def spent(self, token: str) -> None:
        """It is followed by another one, and dropped before those that are not."""
        if token in self._states:
            self._states.move_to_end(token, last=False)

    def drop(self, token: str) -> None:
        """Nothing happens if it is not known."""
        self._states.pop(token, None)
