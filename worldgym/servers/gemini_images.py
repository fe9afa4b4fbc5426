"""Gemini's image models through the library `google-genai`: a picture, perhaps a mask, and a prompt
in; a picture out."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from worldgym.servers.gemini_provider import GeminiProvider, gemini_faults, read_response
from worldgym.servers.provider import MAX_PICTURE_REPLY, Question, Reply


class GeminiImages(GeminiProvider):
    """Behind the provider seam, for questions that ask for a picture."""

    most = MAX_PICTURE_REPLY

    def ask(self, question: Question, vote: int, structured: bool) -> Reply:
        modalities = {"response_modalities": ["TEXT", "IMAGE"]}
        with gemini_faults():
            config = {**modalities, "temperature": self.server.temperature}
            response = self._gemini.answer(question, config)
            return replace(read_response(response), image=_picture(response))


def _picture(response: Any) -> str:
    """The first picture of the first candidate in base64, or ""."""
    content = response.candidates[0].content if response.candidates else None
    for part in (content.parts if content else None) or []:
        if part.inline_data is not None and part.inline_data.data:
            return base64.b64encode(part.inline_data.data).decode()
    return ""
