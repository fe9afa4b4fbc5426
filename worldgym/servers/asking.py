"""Asks a model server with patience: several votes at once up to a bound, cached, within a budget, retried with back-off."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from worldgym.errors import InputError, JudgeOutage
from worldgym.servers.gemini_images import GeminiImages
from worldgym.servers.gemini_provider import GeminiProvider
from worldgym.servers.openai_images import OpenAiImages
from worldgym.servers.openai_provider import OpenAiProvider
from worldgym.servers.provider import Busy, Provider, Question, Rejected, Reply, Server
from worldgym.servers.votes import Ledger, VoteCache, vote_key

FIRST_WAIT, LONGEST_WAIT = 1.0, 90.0  # seconds; a server that asks for more is taken to be down
PROVIDERS: Mapping[str, Callable[[Server], Provider]] = {
    "openai": OpenAiProvider,
    "gemini": GeminiProvider,
    "openai-images": OpenAiImages,
    "gemini-images": GeminiImages,
}


@dataclass(frozen=True)
class Answer:
    """price_usd: of the reply.   bought: paid just now, not found in the cache."""

    reply: Reply
    price_usd: float
    bought: bool


class Asker:
    """Safe to use from several threads; at most `server.concurrency` requests are on their way at any time."""

    def __init__(self, server: Server, cache: Path, ledger: Ledger, wait: Callable[[float], None] = time.sleep) -> None:
        if server.provider not in PROVIDERS:
            raise InputError(f'server.provider is "{server.provider}"; known are {", ".join(PROVIDERS)}')
        self.server, self.ledger = server, ledger
        self._provider: Provider = PROVIDERS[server.provider](server)
        self._cache, self._wait = VoteCache(cache), wait
        self._pool = ThreadPoolExecutor(server.concurrency, thread_name_prefix="model")
        self._structured = True  # until the server rejects a schema

    def ask(self, question: Question, votes: int) -> list[Answer]:
        """One answer a vote, in order. JudgeOutage, JudgeStopped or BudgetSpent if one cannot be had; the others stay cached."""
        futures = [self._pool.submit(self._vote, question, vote) for vote in range(votes)]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def _vote(self, question: Question, vote: int) -> Answer:
        key = vote_key(self.server, question, vote)
        reply, bought = self._cache.get_or_ask(key, lambda: self.ledger.buy(lambda: self._patiently(question, vote)))
        return Answer(reply, self.ledger.price.of(reply), bought)

    def _patiently(self, question: Question, vote: int) -> Reply:
        for attempt in range(1, self.server.attempts + 1):
            try:
                return self._once(question, vote)
            except Busy as fault:
                if attempt == self.server.attempts or (fault.retry_after or 0.0) > LONGEST_WAIT:
                    message = f"no answer from {self.server.model} after {attempt} attempts ({fault}); run this again later"
                    raise JudgeOutage(message) from None
                backoff = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT) * random.uniform(0.5, 1.0)
                self._wait(max(backoff, fault.retry_after or 0.0))
        raise AssertionError("attempts is at least 1")

    def _once(self, question: Question, vote: int) -> Reply:
        """With the schema, and without it where the server rejects that."""
        rejected = ""
        for structured in (True, False) if self._structured and question.schema is not None else (False,):
            try:
                reply = self._provider.ask(question, vote, structured)
            except Rejected as fault:
                if fault.filtered:
                    return Reply(str(fault), "refused", None, None, "")
                rejected = str(fault)
            else:
                if not structured and question.schema is not None:
                    self._structured = False  # never set back: another thread may still be on its way with a schema
                return reply
        raise JudgeOutage(f"{self.server.model} rejects the question ({rejected}); mend the description or the question")
