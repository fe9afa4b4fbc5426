"""OpenAI's image edits, and servers that speak like it: POST /images/edits with a picture, perhaps
a mask, and a prompt."""

from __future__ import annotations

import io
import json
from typing import Any

from PIL import Image

from worldgym.servers.openai_provider import openai_client, openai_faults
from worldgym.servers.provider import (
    MAX_PICTURE_REPLY,
    TAKEN,
    Busy,
    Question,
    Reply,
    Server,
    token_count,
)


class OpenAiImages:
    """Behind the provider seam, for questions that ask for a picture."""

    def __init__(self, server: Server) -> None:
        """MissingExtra without the library, InputError without a key."""
        self.server = server
        self._client, self.secrets = openai_client(server, MAX_PICTURE_REPLY)

    def ask(self, question: Question, vote: int, structured: bool) -> Reply:
        body: dict[str, Any] = {"image": ("frame.png", question.pictures[0].png, "image/png")}
        if len(question.pictures) > 1:
            body["mask"] = ("mask.png", see_through(question.pictures[1].png), "image/png")
        body |= {
            "model": self.server.model,
            "prompt": question.prompt,
            "extra_body": dict(self.server.extra),
        }
        with openai_faults():
            raw = self._client.images.with_raw_response.edit(**body)
            return read_image(raw.content, self.server.model)


def see_through(mask: bytes) -> bytes:
    """A mask that is white where the picture may change => the form of this interface, transparent
    there."""
    with Image.open(io.BytesIO(mask), formats=["PNG"]) as image:
        white = image.convert("L")
    layer = Image.new("RGBA", white.size, (0, 0, 0, 255))
    layer.putalpha(white.point(lambda level: 255 - level))
    buffer = io.BytesIO()
    layer.save(buffer, "PNG")
    return buffer.getvalue()


def read_image(body: bytes, model: str) -> Reply:
    """The first picture of an answer; without one, a reply without a picture. Busy if the body is
    no such answer."""
    try:
        data = json.loads(body)
        first = data["data"][0]
        usage = data.get("usage") or {}
        image: Any = first.get("b64_json") or ""
        tokens = [token_count(usage.get(name)) for name in ("input_tokens", "output_tokens")]
        broken = data.get("error") or first.get("error")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Busy(f"the answer is no image edit: {body[:TAKEN]!r}") from None
    if broken:
        raise Busy(f"the answer reports an error: {body[:TAKEN]!r}")
    return Reply(
        "",
        "stop",
        tokens[0],
        tokens[1],
        str(data.get("model") or model),
        image if isinstance(image, str) else "",
    )
