"""Gemini through the library `google-genai`."""

from __future__ import annotations

from typing import Any

from worldgym.errors import MissingExtra
from worldgym.servers.provider import Busy, Question, Reply, Server, fault, http_client

REFUSALS = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT"}


class GeminiProvider:
    def __init__(self, server: Server) -> None:
        """MissingExtra without the library, InputError without a key."""
        try:
            from google import genai
        except ImportError:
            raise MissingExtra("google-genai", "gemini", "a Gemini model") from None
        self.server, self._key = server, server.key("GEMINI_API_KEY")
        options: dict[str, Any] = {
            "timeout": round(1000 * server.timeout_seconds),
            "httpx_client": http_client(server.timeout_seconds),
            "extra_body": dict(server.extra) or None,
        }
        if server.base_url is not None:
            options["base_url"] = server.base_url
        self._client = genai.Client(api_key=self._key, http_options=genai.types.HttpOptions(**options))

    def ask(self, question: Question, vote: int, structured: bool) -> Reply:
        import httpx2
        from google.genai import errors, types

        parts = [types.Part.from_text(text=question.prompt)]
        for picture in question.pictures:
            parts.append(types.Part.from_text(text=f"{picture.label}:"))
            parts.append(types.Part.from_bytes(data=picture.png, mime_type="image/png"))
        config = types.GenerateContentConfig(**self._config(question, vote, structured))
        content = types.Content(role="user", parts=parts)
        try:
            response = self._client.models.generate_content(model=self.server.model, contents=content, config=config)
            return read_response(response)
        except errors.APIError as error:
            headers = error.response.headers if error.response is not None else {}
            raise fault(error.code or 500, str(error.details), headers.get("retry-after"), self._key) from None
        except (httpx2.HTTPError, ValueError) as error:  # ValueError: a body that is no JSON, or not of the form
            raise Busy(f"{type(error).__name__}: {error}") from None

    def _config(self, question: Question, vote: int, structured: bool) -> dict[str, Any]:
        server = self.server
        config: dict[str, Any] = {"temperature": server.temperature, "max_output_tokens": server.max_tokens}
        if server.seed is not None:
            config["seed"] = server.seed + vote
        if structured:
            config |= {"response_mime_type": "application/json", "response_json_schema": dict(question.schema or {})}
        return {name: value for name, value in config.items() if value is not None}


def read_response(response: Any) -> Reply:
    """The first candidate. Busy if there is none and nothing says that the question was blocked."""
    usage, blocked = response.usage_metadata, response.prompt_feedback and response.prompt_feedback.block_reason
    tokens_in = usage.prompt_token_count if usage else None
    counts = (usage.candidates_token_count, usage.thoughts_token_count) if usage else ()
    tokens_out = sum(count or 0 for count in counts) if usage else None
    model = response.model_version or ""
    if blocked:
        return Reply(f"blocked: {blocked.value}", "refused", tokens_in, tokens_out, model)
    if not response.candidates:
        raise Busy("the answer holds no candidate")
    candidate = response.candidates[0]
    ending = candidate.finish_reason.value if candidate.finish_reason else "STOP"
    parts = (candidate.content.parts if candidate.content else None) or []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    if ending in REFUSALS:
        return Reply(f"blocked: {ending}", "refused", tokens_in, tokens_out, model)
    return Reply(text, "length" if ending == "MAX_TOKENS" else "stop", tokens_in, tokens_out, model)
