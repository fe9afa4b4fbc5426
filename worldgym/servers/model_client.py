"""Sends requests to a model server patiently: several votes at once up to a bound, cached, within a
budget, retried with back-off."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from worldgym.errors import JudgeOutage, WorldGymError, pick
from worldgym.servers.gemini_images import GeminiImages
from worldgym.servers.gemini_provider import GeminiProvider
from worldgym.servers.openai_images import OpenAiImages
from worldgym.servers.openai_provider import OpenAiProvider
from worldgym.servers.provider import Busy, Provider, Question, Rejected, Reply, Server
from worldgym.servers.redacted_provider import RedactedProvider
from worldgym.servers.votes import Ledger, VoteCache, vote_key

FIRST_WAIT, LONGEST_WAIT = 1.0, 90.0  # seconds; a server that asks for more is taken to be down
PROVIDERS: Mapping[str, Callable[[Server], Provider]] = {
    "openai": OpenAiProvider,
    "gemini": GeminiProvider,
    "openai-images": OpenAiImages,
    "gemini-images": GeminiImages,
}


T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """reply: the last one; a question is asked a second time where the first reply could not be
    read.

    price_usd, tokens_in, tokens_out: of both.   paid_usd: for those that were bought just now, not
    found in the cache."""

    reply: Reply
    price_usd: float
    paid_usd: float
    tokens_in: int = 0
    tokens_out: int = 0

    def after(self, first: Answer) -> Answer:
        tokens = (first.tokens_in + self.tokens_in, first.tokens_out + self.tokens_out)
        return Answer(
            self.reply, first.price_usd + self.price_usd, first.paid_usd + self.paid_usd, *tokens
        )


@dataclass(frozen=True)
class Reading:
    """read: raises ValueError for a text that says nothing.   reminder: what is added to the
    question then."""

    read: Callable[[str], object]
    reminder: str

    def fits(self, reply: Reply) -> bool:
        """Whether asking again would be of no use: it can be read, or was refused or cut off."""
        if reply.ending in ("refused", "length"):
            return True
        try:
            reading(reply, self.read)
        except ValueError:
            return False
        return True


def reading(reply: Reply, read: Callable[[str], T]) -> T:
    """What the reply says. ValueError if that is not to be known."""
    if reply.ending != "stop":
        raise ValueError(f"it ended with {reply.ending}")
    return read(reply.text)


class ModelClient:
    """Safe to use from several threads; at most `server.concurrency` requests are on their way at
    any time."""

    def __init__(
        self,
        server: Server,
        cache: Path,
        ledger: Ledger,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._provider = RedactedProvider(pick("provider", server.provider, PROVIDERS)(server))
        self.server = server
        self.ledger = ledger
        self._cache = VoteCache(cache)
        self._wait = wait
        self._pool = ThreadPoolExecutor(server.concurrency, thread_name_prefix="model")
        self._structured = True  # until the server rejects a schema

    def check(self) -> None:
        """InputError where no answer could be kept."""
        self._cache.check()

    def ask(self, question: Question, votes: int, wanted: Reading | None = None) -> list[Answer]:
        """One answer per vote, in order; where a reply cannot be read as `wanted`, of a second try.

        JudgeOutage, JudgeStopped or BudgetSpent if one cannot be had, with `paid_usd` for the
        others, which stay cached."""
        futures = [self._pool.submit(self._vote, question, vote, wanted) for vote in range(votes)]
        try:
            answers = [future.result() for future in futures]
            self.ledger.check()
            return answers
        except WorldGymError as error:
            error.paid_usd = math.fsum(_paid(future) for future in futures if not future.cancel())
            raise
        finally:
            for future in futures:
                future.cancel()

    def _vote(self, question: Question, vote: int, wanted: Reading | None) -> Answer:
        first = self._reply(question, vote)
        if wanted is None or wanted.fits(first.reply):
            return first
        try:
            return self._reply(
                replace(question, prompt=f"{question.prompt}\n\n{wanted.reminder}"), vote
            ).after(first)
        except WorldGymError as error:
            error.paid_usd += first.paid_usd
            raise

    def _reply(self, question: Question, vote: int) -> Answer:
        key = vote_key(self.server, question, vote)
        reply, bought = self._cache.get_or_ask(
            key, lambda: self.ledger.buy(lambda: self._patiently(question, vote))
        )
        price = self.ledger.price.of(reply)
        return Answer(
            reply, price, price if bought else 0.0, reply.tokens_in or 0, reply.tokens_out or 0
        )

    def _patiently(self, question: Question, vote: int) -> Reply:
        for attempt in range(1, self.server.attempts + 1):
            try:
                return self._once(question, vote)
            except Busy as fault:
                if attempt == self.server.attempts or (fault.retry_after or 0.0) > LONGEST_WAIT:
                    message = (
                        f"no answer from {self.server.model} after {attempt} attempts ({fault}); "
                        f"run this again later"
                    )
                    raise JudgeOutage(message) from None
                backoff = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT) * random.uniform(
                    0.5, 1.0
                )
                self._wait(max(backoff, fault.retry_after or 0.0))
        raise AssertionError("attempts is at least 1")

    def _once(self, question: Question, vote: int) -> Reply:
        """With the schema, and without it where the server rejects that."""
        rejected = ""
        for structured in (
            (True, False) if self._structured and question.schema is not None else (False,)
        ):
            try:
                reply = self._provider.ask(question, vote, structured)
            except Rejected as fault:
                if fault.filtered:
                    return Reply(str(fault), "refused", None, None, "")
                rejected = str(fault)
            else:
                if not structured and question.schema is not None:
                    # never set back: another thread may still be on its way with a schema
                    self._structured = False
                return reply
        raise JudgeOutage(
            f"{self.server.model} rejects the question ({rejected}); change the description or the "
            f"question"
        )


def _paid(future: Future[Answer]) -> float:
    """What was paid for a vote, whether or not it was had in the end. Waits for it."""
    error = future.exception()
    return (
        future.result().paid_usd
        if error is None
        else error.paid_usd
        if isinstance(error, WorldGymError)
        else 0.0
    )
