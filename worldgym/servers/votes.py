"""Replies on the disk, so that a vote is paid once, and the ledger that enforces a budget.

CACHE/ab/abcd....json   one reply, filed under SHA-256 of model, server, settings, prompt, pixels
                        and the vote's index

Every reply that was paid for is kept, refusals and unreadable ones too: a repeated run costs
nothing and says the same.

RUN/payments.jsonl      a line for every reply that was paid for on behalf of this run, written
                        before anything else is done with it: the budget is the run's, however often
                        it is started, and whatever ends it
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from worldgym.errors import BudgetSpent, InputError, JudgeStopped
from worldgym.io.files import cache_folder, read_json, write_atomic, write_json
from worldgym.io.jsonl import append_line, read_lines
from worldgym.io.records import from_mapping
from worldgym.servers.provider import Question, Reply, Server

MILLION = 1e6
PAYMENTS_NAME = "payments.jsonl"
ROUNDING = 1e-9  # by which sums of prices may differ


def default_cache() -> Path:
    """Where votes are kept unless a description says otherwise."""
    return cache_folder("votes")


def vote_key(server: Server, question: Question, vote: int) -> str:
    """What identifies a vote: all that the answer depends on, and its index. Waiting and retrying
    are no part of it."""
    request = {
        "server": [server.provider, server.base_url, server.model],
        **{
            name: dict(table)
            for name, table in (("query", server.query), ("headers", server.headers))
            if table
        },
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
        self._writable = False
        self._broken = ""

    def check(self) -> None:
        """InputError where no reply could be kept: it would be paid for and lost."""
        if not self._writable:
            trial = self.root / ".writable"
            write_atomic(trial, b"")
            trial.unlink(missing_ok=True)
            self._writable = True

    def get_or_ask(self, key: str, ask: Callable[[], Reply]) -> tuple[Reply, bool]:
        """(reply, whether it was bought just now). InputError, before asking, where it could not be
        kept; a reply that cannot be kept after all is returned, and the next one that would have to
        be bought is a JudgeStopped."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if (found := self._read(key)) is not None:
                return found, False
            if self._broken:
                raise JudgeStopped(
                    f"answers can no longer be stored, so no more are paid for: {self._broken}"
                )
            self.check()
            reply = ask()
            try:
                write_json(self._path(key), asdict(reply))
            except InputError as error:
                self._broken = str(error)
            return reply, True

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.json"

    def _read(self, key: str) -> Reply | None:
        path = self._path(key)
        if not path.exists():
            return None
        try:
            return from_mapping(Reply, read_json(path, "a cached vote"))
        except (InputError, ValueError):  # damaged: buy it again
            return None


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens; None = unknown, and nothing is counted."""

    usd_per_million_input: float | None = None
    usd_per_million_output: float | None = None

    def __post_init__(self) -> None:
        both = (self.usd_per_million_input, self.usd_per_million_output)
        if (both[0] is None) != (both[1] is None) or any(
            price is not None and not 0 <= price < math.inf for price in both
        ):
            raise InputError(
                "price needs usd_per_million_input and usd_per_million_output, both numbers from 0 "
                "on"
            )

    def of(self, reply: Reply) -> float:
        """The price of a reply; 0 where price or tokens are unknown."""
        tokens_in, tokens_out = reply.tokens_in or 0, reply.tokens_out or 0
        return (
            tokens_in * (self.usd_per_million_input or 0.0)
            + tokens_out * (self.usd_per_million_output or 0.0)
        ) / MILLION


@dataclass(frozen=True)
class Payment:
    """A line of RUN/payments.jsonl."""

    usd: float

    def __post_init__(self) -> None:
        if not 0 <= self.usd < math.inf:
            raise ValueError(f'"usd" is {self.usd}, which is no payment')


class Ledger:
    """What was paid and what is being bought. A question is let through if its likely price still
    fits the budget.

    The likely price is the highest so far, so what is overrun is at most what the first questions
    in flight cost."""

    def __init__(self, price: Price, budget_usd: float | None = None) -> None:
        if budget_usd is not None and price.usd_per_million_input is None:
            raise InputError("a budget needs prices: add a table [price] to the description")
        if budget_usd is not None and not budget_usd >= 0:  # which holds of NaN too
            raise InputError(f"the budget is {budget_usd} USD; give 0 or more")
        self.price = price
        self.budget_usd = budget_usd
        self.paid_usd = 0.0
        self._in_flight = 0
        self._highest = 0.0
        self._fault = ""
        self._payments: Path | None = None
        self._guard = threading.Lock()

    def keep(self, folder: Path, paid_usd: float = 0.0) -> None:
        """Continues with what was paid for the run of this folder, and notes there what it pays.

        paid_usd: what its log says, for runs from before there was a file of payments. InputError
        for a damaged file."""
        self._payments = folder / PAYMENTS_NAME
        prices = read_payments(self._payments)
        self.paid_usd = max(math.fsum(prices), paid_usd)
        self._highest = max([self._highest, *prices])

    def buy(self, ask: Callable[[], Reply]) -> Reply:
        """Asks if the budget allows it, and notes the price. BudgetSpent if not; JudgeStopped as
        `check`."""
        with self._guard:
            self._permit()
            self._in_flight += 1
        try:
            reply = ask()
        finally:
            with self._guard:
                self._in_flight -= 1
        price = self.price.of(reply)
        with self._guard:
            self.paid_usd += price
            self._highest = max(self._highest, price)
            if (
                self.budget_usd is not None
                and None in (reply.tokens_in, reply.tokens_out)
                and reply.ending != "refused"
            ):
                self._fault = (
                    "the model's server does not say how many tokens it used, so no budget can be "
                    "kept; run without"
                )
            if self._payments is not None and price > 0:
                try:
                    append_line(self._payments, asdict(Payment(price)))
                # the reply is there, and is kept; no other one is bought
                except InputError as error:
                    self._fault = f"payments can no longer be noted: {error}"
        return reply

    def check(self) -> None:
        """JudgeStopped once payments cannot be counted any more."""
        if self._fault:
            raise JudgeStopped(self._fault)

    def _permit(self) -> None:
        self.check()
        if self.budget_usd is None:
            return
        expected = self.paid_usd + (self._in_flight + 1) * self._highest
        if expected > self.budget_usd * (1 + ROUNDING) or self.paid_usd >= self.budget_usd:
            raise BudgetSpent(
                f"the budget of {self.budget_usd:g} USD is spent ({self.paid_usd:.4f} USD paid); "
                f"run the same command with a higher --budget"
            )


def read_payments(path: Path) -> list[float]:
    """US dollars of every line; a torn last line is ignored. InputError for any other that is no
    payment."""
    if not path.exists():
        return []
    lines = read_lines(path, "a file of payments", "restore the file from a copy")
    return [float(line.read(partial(from_mapping, Payment)).usd) for line in lines]
