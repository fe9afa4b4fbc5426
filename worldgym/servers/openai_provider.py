"""Any OpenAI-compatible server through the library `openai`: OpenAI, vLLM, SGLang, Ollama. Chat
completions, one choice.

The body is read here and not by the library's types: they take anything for an answer.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from worldgym.errors import MissingExtra
from worldgym.servers.provider import (
    MAX_REPLY,
    TAKEN,
    Busy,
    Question,
    Reply,
    Server,
    ending_of,
    fault,
    token_count,
)

if TYPE_CHECKING:
    import openai

ADDRESS = "https://api.openai.com/v1"


def openai_client(server: Server, most: int) -> tuple[openai.OpenAI, tuple[str, ...]]:
    """=> (client, what must stand in no text that leaves it).   most: bytes of an answer.

    MissingExtra without the library, InputError without a key."""
    try:
        import openai
    except ImportError:
        raise MissingExtra("openai", "openai", "an OpenAI-compatible server") from None
    line = server.line("OPENAI_API_KEY", ADDRESS, most)
    client = openai.OpenAI(
        api_key=line.key,
        base_url=line.url,
        max_retries=0,  # the model client retries, for every provider alike
        timeout=server.timeout_seconds,
        http_client=line.client,
    )
    return client, line.secrets


@contextmanager
def openai_faults() -> Iterator[None]:
    """The library's errors become Busy, Rejected or Stopped."""
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        headers = error.response.headers
        raise fault(error.status_code, error.response.text, headers.get("retry-after")) from None
    except openai.APIConnectionError as error:
        raise Busy(f"{error} {error.__cause__ or ''}".strip()) from None


class OpenAiProvider:
    def __init__(self, server: Server) -> None:
        """MissingExtra without the library, InputError without a key."""
        self.server = server
        self._client, self.secrets = openai_client(server, MAX_REPLY)

    def ask(self, question: Question, vote: int, structured: bool) -> Reply:
        body = self._body(question, vote, structured)
        with openai_faults():
            raw = self._client.chat.completions.with_raw_response.create(**body)
            return read_completion(raw.content)

    def _body(self, question: Question, vote: int, structured: bool) -> dict[str, Any]:
        server = self.server
        content: list[dict[str, Any]] = [{"type": "text", "text": question.prompt}]
        for picture in question.pictures:
            url = f"data:image/png;base64,{base64.b64encode(picture.png).decode()}"
            content += [
                {"type": "text", "text": f"{picture.label}:"},
                {"type": "image_url", "image_url": {"url": url}},
            ]
        body: dict[str, Any] = {
            "model": server.model,
            "messages": [{"role": "user", "content": content}],
        }
        if structured:
            form = {"name": "verdict", "strict": True, "schema": dict(question.schema or {})}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        if server.temperature is not None:
            body["temperature"] = server.temperature
        if server.max_tokens is not None:
            body["max_completion_tokens"] = server.max_tokens
        if server.seed is not None:
            body["seed"] = server.seed + vote
        return {**body, "extra_body": dict(server.extra)}


def read_completion(body: bytes) -> Reply:
    """The one choice of a chat completion. Busy if the body is none, or reports an error: servers
    and proxies send pages of all sorts as 200, and those that pass questions on their upstream's
    errors too.
    """
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        told = data.get("usage")
        usage = told if isinstance(told, dict) else {}
        message = choice["message"]
        ending = ending_of(choice.get("finish_reason"), "length", ("content_filter",))
        refusal = message.get("refusal")
        text = _text(message.get("content"))
        tokens = [token_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")]
        broken = (
            ending == "error" or data.get("error") or choice.get("error") or message.get("error")
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Busy(f"the answer is no chat completion: {body[:TAKEN]!r}") from None
    if broken:
        raise Busy(f"the answer reports an error: {body[:TAKEN]!r}")
    if refusal or ending == "refused":
        text, ending = str(refusal or "content filter"), "refused"
    return Reply(text, ending, tokens[0], tokens[1], str(data.get("model") or ""))


def _text(content: Any) -> str:
    """A message's content: a text, or parts of which those of type text are the answer; "" for
    anything else."""
    if isinstance(content, list):
        return "".join(str(part["text"]) for part in content if part["type"] == "text")
    return content if isinstance(content, str) else ""
