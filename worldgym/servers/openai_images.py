"""OpenAI's image edits, and servers that speak like it: POST /images/edits with a picture, perhaps a mask, and a prompt."""

from __future__ import annotations

import io
import json
from typing import Any

from PIL import Image

from worldgym.errors import MissingExtra
from worldgym.servers.provider import MAX_PICTURE_REPLY, Busy, Question, Reply, Server, fault, http_client


class OpenAiImages:
    """Behind the provider seam, for questions that ask for a picture."""

    def __init__(self, server: Server) -> None:
        """MissingExtra without the library, InputError without a key."""
        try:
            import openai
        except ImportError:
            raise MissingExtra("openai", "openai", "image edits behind an OpenAI-compatible server") from None
        self.server, self._key = server, server.key("OPENAI_API_KEY")
        self._client = openai.OpenAI(
            api_key=self._key,
            base_url=server.base_url or "https://api.openai.com/v1",
            max_retries=0,
            timeout=server.timeout_seconds,
            http_client=http_client(server.timeout_seconds, MAX_PICTURE_REPLY),
        )

    def ask(self, question: Question, vote: int, structured: bool) -> Reply:
        import openai

        body: dict[str, Any] = {"image": ("frame.png", question.pictures[0].png, "image/png")}
        if len(question.pictures) > 1:
            body["mask"] = ("mask.png", see_through(question.pictures[1].png), "image/png")
        body |= {"model": self.server.model, "prompt": question.prompt, "extra_body": dict(self.server.extra)}
        try:
            raw = self._client.images.with_raw_response.edit(**body)
            return read_image(raw.content, self.server.model)
        except openai.APIStatusError as error:
            headers = error.response.headers
            raise fault(error.status_code, error.response.text, headers.get("retry-after"), self._key) from None
        except openai.APIConnectionError as error:
            raise Busy(f"{error} {error.__cause__ or ''}".strip()) from None


def see_through(mask: bytes) -> bytes:
    """A mask that is white where the picture may change => the form of this interface, transparent there."""
    with Image.open(io.BytesIO(mask), formats=["PNG"]) as image:
        white = image.convert("L")
    layer = Image.new("RGBA", white.size, (0, 0, 0, 255))
    layer.putalpha(white.point(lambda level: 255 - level))
    buffer = io.BytesIO()
    layer.save(buffer, "PNG")
    return buffer.getvalue()


def read_image(body: bytes, model: str) -> Reply:
    """The first picture of an answer; without one, a reply without a picture. Busy if the body is no such answer."""
    try:
        data = json.loads(body)
        first, usage = data["data"][0], data.get("usage") or {}
        image: Any = first.get("b64_json") or ""
        tokens = [usage.get(name) for name in ("input_tokens", "output_tokens")]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Busy(f"the answer is no image edit: {body[:80]!r}") from None
    counts = [count if isinstance(count, int) and count >= 0 else None for count in tokens]
    return Reply("", "stop", counts[0], counts[1], str(data.get("model") or model), image if isinstance(image, str) else "")
