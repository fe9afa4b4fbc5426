"""Gemini's image models through the library `google-genai`: a picture, perhaps a mask, and a prompt
in; a picture out."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from worldgym.errors import MissingExtra
from worldgym.servers.gemini_provider import ADDRESS, read_response
from worldgym.servers.provider import MAX_PICTURE_REPLY, Busy, Question, Reply, Server, fault


class GeminiImages:
    """Behind the provider seam, for questions that ask for a picture."""

    def __init__(self, server: Server) -> None:
        """MissingExtra without the library, InputError without a key."""
        try:
            from google import genai
        except ImportError:
            raise MissingExtra("google-genai", "gemini", "image edits by Gemini") from None
        line = server.line("GEMINI_API_KEY", ADDRESS, MAX_PICTURE_REPLY)
        self.server, self.secrets = server, line.secrets
        options: dict[str, Any] = {
            "timeout": round(1000 * server.timeout_seconds),
            "httpx_client": line.client,
            "extra_body": dict(server.extra) or None,
        }
        if server.base_url is not None:
            options["base_url"] = server.base_url
        self._client = genai.Client(
            api_key=line.key, http_options=genai.types.HttpOptions(**options)
        )

    def ask(self, question: Question, vote: int, structured: bool) -> Reply:
        import httpx2
        from google.genai import errors, types

        parts = [types.Part.from_text(text=question.prompt)]
        for picture in question.pictures:
            parts.append(types.Part.from_text(text=f"{picture.label}:"))
            parts.append(types.Part.from_bytes(data=picture.png, mime_type="image/png"))
        content = types.Content(role="user", parts=parts)
        config = types.GenerateContentConfig(
            response_modalities=["TEXT", "IMAGE"], temperature=self.server.temperature
        )
        try:
            response = self._client.models.generate_content(
                model=self.server.model, contents=content, config=config
            )
            return replace(read_response(response), image=_picture(response))
        except errors.APIError as error:
            headers = error.response.headers if error.response is not None else {}
            raise fault(error.code or 500, str(error.details), headers.get("retry-after")) from None
        # ValueError: a body that is no JSON, or not of the form
        except (httpx2.HTTPError, ValueError) as error:
            raise Busy(f"{type(error).__name__}: {error}") from None


def _picture(response: Any) -> str:
    """The first picture of the first candidate in base64, or ""."""
    content = response.candidates[0].content if response.candidates else None
    for part in (content.parts if content else None) or []:
        if part.inline_data is not None and part.inline_data.data:
            return base64.b64encode(part.inline_data.data).decode()
    return ""
