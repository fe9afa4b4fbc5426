"""Replies on the disk, so that a vote is bought once, and the ledger that keeps a budget.

CACHE/ab/abcd....json   one reply, filed under SHA-256 of model, server, settings, prompt, pixels and the vote's index

Every reply that was paid for is kept, refusals and unreadable ones too: a repeated run costs nothing and says the same.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from worldgym.errors import BudgetSpent, InputError, JudgeStopped
from worldgym.files import cache_folder, read_json, write_json
from worldgym.servers.provider import Question, Reply, Server

MILLION = 1e6


def default_cache() -> Path:
    """Where votes are kept unless a description says otherwise."""
    return cache_folder("votes")


def vote_key(server: Server, question: Question, vote: int) -> str:
    """What identifies a vote: all that the answer depends on, and its index. Waiting and retrying are no part of it."""
    request = {
        "server": [server.provider, server.base_url, server.model],
        "sampling": [server.temperature, server.max_tokens, server.seed, dict(server.extra)],
        "prompt": question.prompt,
        "schema": None if question.schema is None else dict(question.schema),
        "pictures": [[picture.label, picture.digest] for picture in question.pictures],
        "vote": vote,
    }
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


class VoteCache:
    """Replies by key. Threads that want the same one wait for the first of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def get_or_ask(self, key: str, ask: Callable[[], Reply]) -> tuple[Reply, bool]:
        """(reply, whether it was bought just now)."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if (found := self._read(key)) is not None:
                return found, False
            reply = ask()
            write_json(self._path(key), asdict(reply))
            return reply, True

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.json"

    def _read(self, key: str) -> Reply | None:
        path = self._path(key)
        if not path.exists():
            return None
        try:
            return Reply(**read_json(path, "a cached vote"))
        except (InputError, TypeError):  # damaged: buy it again
            return None


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens; None = unknown, and nothing is counted."""

    usd_per_million_input: float | None = None
    usd_per_million_output: float | None = None

    def __post_init__(self) -> None:
        both = (self.usd_per_million_input, self.usd_per_million_output)
        if (both[0] is None) != (both[1] is None) or any(price is not None and price < 0 for price in both):
            raise InputError("price needs usd_per_million_input and usd_per_million_output, both 0 or more")

    def of(self, reply: Reply) -> float:
        """The price of a reply; 0 where price or tokens are unknown."""
        tokens_in, tokens_out = reply.tokens_in or 0, reply.tokens_out or 0
        return (tokens_in * (self.usd_per_million_input or 0.0) + tokens_out * (self.usd_per_million_output or 0.0)) / MILLION


class Ledger:
    """What was paid and what is being bought. A question is let through if its likely price still fits the budget.

    The likely price is the highest so far, so what is overrun is at most what the first questions in flight cost.
    """

    def __init__(self, price: Price, budget_usd: float | None = None) -> None:
        if budget_usd is not None and price.usd_per_million_input is None:
            raise InputError("a budget needs prices: add a table [price] to the description")
        if budget_usd is not None and not budget_usd >= 0:  # which holds of NaN too
            raise InputError(f"the budget is {budget_usd} USD; give 0 or more")
        self.price, self.budget_usd, self.paid_usd = price, budget_usd, 0.0
        self._in_flight, self._highest = 0, 0.0
        self._guard = threading.Lock()

    def buy(self, ask: Callable[[], Reply]) -> Reply:
        """Asks if the budget allows it, and notes the price. BudgetSpent if not; JudgeStopped if the price cannot be known."""
        with self._guard:
            expected = self.paid_usd + (self._in_flight + 1) * self._highest
            if self.budget_usd is not None and (expected > self.budget_usd or self.paid_usd >= self.budget_usd):
                raise BudgetSpent(
                    f"the budget of {self.budget_usd:g} USD is spent ({self.paid_usd:.4f} USD paid); "
                    f"run the same command with a higher --budget"
                )
            self._in_flight += 1
        try:
            reply = ask()
        finally:
            with self._guard:
                self._in_flight -= 1
        with self._guard:
            self.paid_usd += self.price.of(reply)
            self._highest = max(self._highest, self.price.of(reply))
        if self.budget_usd is not None and None in (reply.tokens_in, reply.tokens_out) and reply.ending != "refused":
            raise JudgeStopped("the model's server does not say how many tokens it used, so no budget can be kept; run without")
        return reply
