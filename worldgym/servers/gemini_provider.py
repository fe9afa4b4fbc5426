"""Gemini through the library `google-genai`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from worldgym.errors import MissingExtra
from worldgym.servers.provider import (
    MAX_REPLY,
    Busy,
    Question,
    Reply,
    Server,
    ending_of,
    fault,
    token_count,
)

ADDRESS = "https://generativelanguage.googleapis.com"
REFUSALS = {
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "image_safety",
    "image_prohibited_content",
}


class GeminiClient:
    """The library's client for one model.   secrets: what must stand in no text that leaves it."""

    def __init__(self, server: Server, most: int) -> None:
        """most: bytes of an answer. MissingExtra without the library, InputError without a key."""
        try:
            from google import genai
        except ImportError:
            raise MissingExtra("google-genai", "gemini", "a Gemini model") from None
        line = server.line("GEMINI_API_KEY", ADDRESS, most)
        self.secrets = line.secrets
        options: dict[str, Any] = {
            "timeout": round(1000 * server.timeout_seconds),
            "httpx_client": line.client,
            "extra_body": dict(server.extra) or None,
        }
        if server.base_url is not None:
            options["base_url"] = server.base_url
        http = genai.types.HttpOptions(**options)
        self._models = genai.Client(api_key=line.key, http_options=http).models
        self._model = server.model

    def answer(self, question: Question, config: Mapping[str, Any]) -> Any:
        """The library's response to prompt and pictures; its own errors, see `gemini_faults`."""
        from google.genai import types

        parts = [types.Part.from_text(text=question.prompt)]
        for picture in question.pictures:
            parts.append(types.Part.from_text(text=f"{picture.label}:"))
            parts.append(types.Part.from_bytes(data=picture.png, mime_type="image/png"))
        return self._models.generate_content(
            model=self._model,
            contents=types.Content(role="user", parts=parts),
            config=types.GenerateContentConfig(**config),
        )


@contextmanager
def gemini_faults() -> Iterator[None]:
    """The library's errors become Busy, Rejected or Stopped."""
    import httpx2
    from google.genai import errors

    try:
        yield
    except errors.APIError as error:
        headers = error.response.headers if error.response is not None else {}
        raise fault(error.code or 500, str(error.details), headers.get("retry-after")) from None
    # ValueError: a body that is no JSON, or not of the form
    except (httpx2.HTTPError, ValueError) as error:
        raise Busy(f"{type(error).__name__}: {error}") from None


class GeminiProvider:
    most = MAX_REPLY  # bytes of an answer

    def __init__(self, server: Server) -> None:
        """MissingExtra without the library, InputError without a key."""
        self._gemini = GeminiClient(server, self.most)
        self.server = server
        self.secrets = self._gemini.secrets

    def ask(self, question: Question, vote: int, structured: bool) -> Reply:
        with gemini_faults():
            config = self._config(question, vote, structured)
            return read_response(self._gemini.answer(question, config))

    def _config(self, question: Question, vote: int, structured: bool) -> dict[str, Any]:
        server = self.server
        config: dict[str, Any] = {
            "temperature": server.temperature,
            "max_output_tokens": server.max_tokens,
        }
        if server.seed is not None:
            config["seed"] = server.seed + vote
        if structured:
            config |= {
                "response_mime_type": "application/json",
                "response_json_schema": dict(question.schema or {}),
            }
        return {name: value for name, value in config.items() if value is not None}


def read_response(response: Any) -> Reply:
    """The first candidate. Busy if there is none and nothing says that the question was blocked."""
    usage = response.usage_metadata
    blocked = response.prompt_feedback and response.prompt_feedback.block_reason
    tokens_in = token_count(usage.prompt_token_count) if usage else None
    said = (usage.candidates_token_count, usage.thoughts_token_count) if usage else ()
    tokens_out = sum(token_count(tokens) or 0 for tokens in said) if usage else None
    model = response.model_version or ""
    if blocked:
        return Reply(f"blocked: {blocked.value}", "refused", tokens_in, tokens_out, model)
    if not response.candidates:
        raise Busy("the answer holds no candidate")
    candidate = response.candidates[0]
    ending = ending_of(
        candidate.finish_reason and candidate.finish_reason.value, "max_tokens", REFUSALS
    )
    parts = (candidate.content.parts if candidate.content else None) or []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    if ending == "refused":
        return Reply(
            f"blocked: {candidate.finish_reason.value}", "refused", tokens_in, tokens_out, model
        )
    return Reply(text, ending, tokens_in, tokens_out, model)
