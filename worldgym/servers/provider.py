"""The seam to a model server: one question in, one reply or one of four faults out.

Busy         no answer now: rate limit, server error, dropped connection, time-out, a body cut short   => ask again
Rejected     this question will not do: too long, malformed, a form the server does not speak          => give it up
JudgeStopped no question will do: key, model name, address, unpaid bill                                => stop
MissingExtra the client library is not installed

A refusal by the model is none of them: it is a reply, and was paid for.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from worldgym.errors import InputError, JudgeStopped
from worldgym.servers.pictures import Picture

if TYPE_CHECKING:
    import httpx2

MAX_REPLY = 4 * 2**20  # bytes of one HTTP body; a verdict has a few thousand
MAX_PICTURE_REPLY = 32 * 2**20  # the same of an answer that is a picture, in base64
SHOWN = 300  # characters of a server's complaint that enter a message
FILTERED = re.compile(r"content[_ ]?(filter|policy|management)|safety system|responsible", re.IGNORECASE)


@dataclass(frozen=True)
class Server:
    """Which model answers, and how it is asked. The name of a model is always given: models retire, and none is the default.

    provider: "openai" (any OpenAI-compatible server) or "gemini".   base_url: None = the provider's own.
    api_key_env: name of the environment variable with the key, never the key.   extra: further fields of every request.
    temperature, max_tokens, seed: None = the server's own; vote i is asked with seed + i.
    timeout_seconds: for one answer.   attempts: at one answer, counting the first.   concurrency: answers awaited at once.
    """

    model: str
    provider: str = "openai"
    base_url: str | None = None
    api_key_env: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    timeout_seconds: float = 120.0
    attempts: int = 6
    concurrency: int = 8

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url or "https://default")
        if address.scheme not in ("http", "https") or not address.hostname or address.username or address.query:
            raise InputError("server.base_url must look like http://HOST:PORT/v1, without a user, password or query")
        if not self.model.strip():
            raise InputError("server.model is empty; name the model, for there is no default")
        if not (self.timeout_seconds > 0 and self.attempts >= 1 and 1 <= self.concurrency <= 256):
            raise InputError("server.timeout_seconds must be above 0, attempts 1 or more, concurrency between 1 and 256")

    def key(self, default: str) -> str:
        """The API key from the environment. InputError where it is missing.

        A server of one's own gets none that is not named: descriptions of judges are passed on, and keys are not for any address.
        """
        if self.base_url is not None and self.api_key_env is None:
            return "none"
        name = self.api_key_env or default
        if value := os.environ.get(name):
            return value
        raise InputError(f"no API key: set the environment variable {name}, or api_key_env to the name of yours")


@dataclass(frozen=True)
class Question:
    """prompt: the text, sent before the pictures.   schema: JSON schema of the answer, or None where a picture is asked for:
    then the first picture is the one to change, and a second one is white where it may change."""

    prompt: str
    pictures: tuple[Picture, ...]
    schema: Mapping[str, Any] | None


@dataclass(frozen=True)
class Reply:
    """ending: "stop", "length" (cut off) or "refused".   tokens: None where the server does not say.   model: as it says.

    image: a picture file in base64, where one was asked for and given.
    """

    text: str
    ending: str
    tokens_in: int | None
    tokens_out: int | None
    model: str
    image: str = ""


class Provider(Protocol):
    def ask(self, question: Question, vote: int, structured: bool) -> Reply:
        """One answer. structured: hold the server to the schema; without, the prompt alone asks for its form."""
        ...


class Busy(Exception):
    """No answer now. retry_after: seconds the server asked for, or None."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason[:SHOWN])
        self.retry_after = retry_after


class Rejected(Exception):
    """The server will not answer this question. filtered: because of what it shows."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason[:SHOWN])
        self.filtered = bool(FILTERED.search(reason))


def fault(status: int, complaint: str, retry_after: str | None, key: str) -> Exception:
    """The fault that an HTTP status stands for. The key is blotted out of the server's words."""
    words = f"HTTP {status}: {' '.join(complaint.replace(key, '[key]').split())}"
    if status == 429 and "insufficient_quota" in complaint:
        return JudgeStopped(f"the model's server says that its quota is spent ({words[:SHOWN]}); top it up, then run this again")
    if status in (408, 409, 425, 429) or status >= 500:
        return Busy(words, _seconds(retry_after))
    if status in (401, 402, 403, 404) or "API_KEY_INVALID" in complaint:  # Gemini's 400
        return JudgeStopped(f"the model's server refuses every question ({words[:SHOWN]}); check key, model and base_url")
    return Rejected(words)


def http_client(seconds: float, most: int = MAX_REPLY) -> httpx2.Client:
    """A client for either library whose answers are bounded in size and in time."""
    import httpx2

    def hold(response: httpx2.Response) -> None:
        """Reads the body itself, up to `most` bytes: the libraries would read any number."""
        parts, size, started = list[bytes](), 0, datetime.now(UTC)
        stream = response.stream
        if not isinstance(stream, httpx2.SyncByteStream):
            return
        try:
            for part in stream:
                size += len(part)
                if size > most:
                    raise httpx2.RemoteProtocolError(f"the answer has more than {most} bytes")
                if (datetime.now(UTC) - started).total_seconds() > seconds:
                    raise httpx2.ReadTimeout(f"the answer took more than {seconds:g} s")
                parts.append(part)
        finally:
            stream.close()
        response.stream = httpx2.ByteStream(b"".join(parts))

    return httpx2.Client(timeout=seconds, event_hooks={"response": [hold]}, headers={"accept-encoding": "identity"})


def _seconds(retry_after: str | None) -> float | None:
    """The header Retry-After, a number of seconds or a date; None where it is absent or unreadable."""
    if retry_after is None:
        return None
    try:
        value = float(retry_after)
    except ValueError:
        try:
            value = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, value) if math.isfinite(value) else None
