"""The protocol of a model server: one request in, one reply or one of four faults out.

Busy         no answer now: rate limit, server error, dropped connection, time-out, a body cut
short   => ask again
Rejected     this question will not do: too long, malformed, a form the server does not
speak          => give it up
Stopped      no question will do: key, model name, address, unpaid
bill                                => stop MissingExtra the client library is not installed

A refusal by the model is none of them: it is a reply, and was paid for. What a provider says may
quote the key, which `redacted_provider` hides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from worldgym.errors import InputError
from worldgym.servers.api_keys import from_environment
from worldgym.servers.http import http_client
from worldgym.servers.picture_bytes import SentPicture

if TYPE_CHECKING:
    import httpx2

MAX_REPLY = 4 * 2**20  # bytes of one HTTP body; a verdict has a few thousand
MAX_PICTURE_REPLY = 32 * 2**20  # the same of an answer that is a picture, in base64
MOST_TOKENS = 10**9  # of one answer; a server that says more has miscounted
TAKEN = 2000  # bytes of a body that is no answer, for the complaint about it
LONGEST = 86_400  # seconds for one answer
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.1
HARMLESS = ("prompt_cache_key",)  # names in `extra` that only look secret
SECRET = re.compile(r"key|token|secret|auth|password|cookie|credential|signature", re.IGNORECASE)
ENVIRONMENT = "env:"  # begins a value that is the name of an environment variable
NORMAL = {
    "stop",
    "eos",
    "eos_token",
    "end_turn",
    "stop_sequence",
}  # what servers call an answer that ended by itself
FILTERED = re.compile(
    r"content[_ ]?(filter|policy|management)|safety system|responsible|moderation|flagged",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Server:
    """Which model answers, and how it is asked. The name of a model is always given: models retire,
    and none is the default.

    provider: "openai" (any OpenAI-compatible server) or "gemini".   base_url: None = the provider's
    own.
    api_key_env: name of the environment variable with the key, never the key.   extra: further
    fields of every request. query, headers: further parts of every request's address and head;
    "env:NAME" stands for the value of a variable. temperature, max_tokens, seed: None = the
    server's own; vote i is asked with seed + i.
    timeout_seconds: for one answer.   attempts: at one answer, counting the first.   concurrency:
    answers awaited at once."""

    model: str
    provider: str = "openai"
    base_url: str | None = None
    api_key_env: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    timeout_seconds: float = 120.0
    attempts: int = 6
    concurrency: int = 8

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url or "https://default")
        if address.query:
            raise InputError(
                "server.base_url has a query: write what follows the ? as  query = { NAME = "
                '"VALUE" }  in [server]'
            )
        if address.fragment:
            raise InputError("server.base_url has a # and more, which is never sent: remove it")
        if address.scheme not in ("http", "https") or not address.hostname or address.username:
            raise InputError(
                "server.base_url must look like http://HOST:PORT/v1, without a user or password"
            )
        for table, values in (("query", self.query), ("headers", self.headers)):
            for name, value in values.items():
                if not isinstance(value, str) or not value.isprintable() or not value.isascii():
                    raise InputError(
                        f'server.{table}: "{name}" is no text that can be sent; write one in ASCII'
                    )
                if SECRET.search(name) and not value.startswith(ENVIRONMENT):
                    raise InputError(
                        f'server.{table}: "{name}" looks secret; write "{ENVIRONMENT}NAME" with '
                        f"the variable's name"
                    )
        if not self.model.strip():
            raise InputError("server.model is empty; name the model, because there is no default")
        if wrong := [name for name in self.headers if not HEADER_NAME.fullmatch(name)]:
            raise InputError(f'server.headers: "{wrong[0]}" is no name that a header can have')
        if secret := [*_secret_texts(self.extra)]:
            raise InputError(
                f'server.extra: "{secret[0]}" looks secret, and logs hold these fields; give it in '
                f'headers or query, as "{ENVIRONMENT}NAME" with the variable\'s name'
            )
        timely = 0 < self.timeout_seconds <= LONGEST
        if not (timely and self.attempts >= 1 and 1 <= self.concurrency <= 256):
            raise InputError(
                f"server.timeout_seconds must be above 0 and at most {LONGEST}, attempts 1 or "
                f"more, concurrency between 1 and 256"
            )

    def line(self, default_key: str, default_url: str, most: int) -> Endpoint:
        """How the server is reached. default_key: the environment variable of the provider's own
        key.   most: bytes of an answer.

        InputError where a key is missing or no header can carry it, or a proxy cannot be used. Your
        own server gets no key that is not named: descriptions of judges are passed on, and keys are
        not for any address."""
        key = None
        if self.base_url is None or self.api_key_env is not None:
            key = from_environment(self.api_key_env or default_key, "API key")
        query, headers = _filled(self.query, "part of the query"), _filled(self.headers, "header")
        without = (
            ()
            if key
            else tuple(
                name for name in KEY_HEADERS if name not in {given.lower() for given in headers}
            )
        )
        url = self.base_url or default_url
        client = http_client(url, self.timeout_seconds, most, query, headers, without)
        from_outside = [
            both[0][name]
            for both in ((query, self.query), (headers, self.headers))
            for name in _secret(both[1])
        ]
        return Endpoint(key or "none", url, client, tuple(filter(None, [key, *from_outside])))


KEY_HEADERS = ("authorization", "x-goog-api-key")


class Endpoint(NamedTuple):
    """key: or "none".   secrets: everything that the environment gave."""

    key: str
    url: str
    client: httpx2.Client
    secrets: tuple[str, ...]


def _secret_texts(fields: Any) -> Iterator[str]:
    """Names of texts, at any depth, that look like secrets; a number such as max_tokens is none."""
    if isinstance(fields, Mapping):
        for name, value in fields.items():
            if isinstance(value, str) and SECRET.search(name) and name not in HARMLESS:
                yield name
            yield from _secret_texts(value)
    elif isinstance(fields, list | tuple):
        for value in fields:
            yield from _secret_texts(value)


def _secret(table: Mapping[str, Any]) -> list[str]:
    return [name for name, value in table.items() if str(value).startswith(ENVIRONMENT)]


def _filled(table: Mapping[str, Any], what: str) -> dict[str, str]:
    secret = _secret(table)
    return {
        name: from_environment(value.removeprefix(ENVIRONMENT), f"{what} {name}")
        if name in secret
        else value
        for name, value in table.items()
    }


@dataclass(frozen=True)
class Question:
    """prompt: the text, sent before the pictures.   schema: JSON schema of the answer, or None
    where a picture is asked for: then the first picture is the one to change, and a second one is
    white where it may change."""

    prompt: str
    pictures: tuple[SentPicture, ...]
    schema: Mapping[str, Any] | None


@dataclass(frozen=True)
class Reply:
    """ending: "stop", "length" (cut off), "refused", or the server's own word for another.

    tokens: None where the server does not say.   model: as it says.
    image: a picture file in base64, where one was asked for and given.
    """

    text: str
    ending: str
    tokens_in: int | None
    tokens_out: int | None
    model: str
    image: str = ""


class Provider(Protocol):
    @property
    def secrets(self) -> tuple[str, ...]:
        """What must stand in no text that leaves it."""
        ...

    def ask(self, question: Question, vote: int, structured: bool) -> Reply:
        """One answer. structured: hold the server to the schema; without, the prompt alone asks for
        its form."""
        ...


class Busy(Exception):
    """No answer now. retry_after: seconds the server asked for, or None."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Rejected(Exception):
    """The server will not answer this question. filtered: because of what it shows."""

    def __init__(self, reason: str, filtered: bool) -> None:
        super().__init__(reason)
        self.filtered = filtered


class Stopped(Exception):
    """The server will answer no question.   fix: what is to be done about it."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


def fault(status: int, complaint: str, retry_after: str | None) -> Exception:
    """The fault that an HTTP status stands for."""
    words = f"HTTP {status}: {' '.join(complaint.split())}"
    if status == 429 and "insufficient_quota" in complaint:
        return Stopped(words, "its quota is spent; top it up, then run this again")
    if status in (408, 409, 420, 424, 425, 429, 449, 499) or (status >= 500 and status != 501):
        return Busy(words, _seconds(retry_after))
    filtered = FILTERED.search(complaint) is not None
    if status in (400, 413, 422) and "API_KEY_INVALID" not in complaint:  # Gemini's 400
        return Rejected(words, filtered)
    if status == 403 and filtered:  # of this question; any other 403 is of the key
        return Rejected(words, filtered)
    # redirects too: an address that is not the server's own
    return Stopped(words, "check key, model and base_url")


def token_count(value: Any) -> int | None:
    """A number of tokens as a server says it; None where it is none."""
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_TOKENS
        else None
    )


def ending_of(said: Any, cut: str, refused: Collection[str]) -> str:
    """A server's finish reason => the ending of a reply. None = it says none."""
    word = "stop" if said is None else str(said).lower()
    if word in refused:
        return "refused"
    return "length" if word == cut else "stop" if word in NORMAL else word


def _seconds(retry_after: str | None) -> float | None:
    """The header Retry-After, a number of seconds or a date; None where it is absent or
    unreadable."""
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
