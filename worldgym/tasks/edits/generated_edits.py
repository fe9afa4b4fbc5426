"""Edits by a model: a picture changed by a prompt, an instruction in other words. Cached, with
known cost, and checked. Pixels outside the region that it may change always stay those of the
frame. But its changes to them are checked first: a model that moved the robot drew another start
pose, and the rest of its picture belongs to that pose."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from worldgym.errors import EditRefused, InputError
from worldgym.io.images import MAX_SIDE, open_picture
from worldgym.io.text import clean
from worldgym.servers.answer_texts import answer_fields
from worldgym.servers.model_client import Answer, ModelClient, Reading, reading
from worldgym.servers.picture_bytes import picture
from worldgym.servers.provider import Question
from worldgym.tasks.edits.edit_protocol import Scene
from worldgym.tasks.edits.masks import Pixels, Region, pixels
from worldgym.types import Frames

IMAGES = "-images"  # ending of the providers that draw
# grey levels of 255 by which a pixel must differ to count as changed: above what resizing and
# compression do
VISIBLE = 48
LONGEST = 300  # characters of an instruction
REMINDER = 'Answer with the JSON object alone: {"instruction": "..."}, no word before or after it.'
STRETCH = 0.1  # share by which the sides' ratio of an answer may differ
FORM = {
    "type": "object",
    "properties": {"instruction": {"type": "string"}},
    "required": ["instruction"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Generate:
    """prompt: what to change.   mask: region that may change; protect: region that must not, such
    as the robot. One at least.

    size: pixels of the longer side that the model is sent.   tolerance: share of the protected
    pixels (without `protect`, of all outside the mask) that may differ visibly in the answer before
    it is refused.
    """

    prompt: str
    mask: Region = ()
    protect: Region = ()
    size: int = 1024
    tolerance: float = 0.05
    client: ModelClient | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (self.mask or self.protect):
            raise InputError(
                "an edit by a model needs a mask of what may change, or protect for what must not"
            )
        if not (64 <= self.size <= MAX_SIDE and 0 <= self.tolerance <= 1 and self.prompt.strip()):
            raise InputError(
                f"an edit by a model needs a prompt, a size of 64 to {MAX_SIDE} and a tolerance "
                f"from 0 to 1"
            )

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        """EditRefused if the model refuses, answers without a picture, or changed what it was to
        leave alone."""
        client = _fitting(self.client, drawing=True)
        kept = pixels(self.protect, frame) if self.protect else np.zeros(frame.shape[:2], bool)
        allowed = (
            pixels(self.mask, frame) if self.mask else np.ones(frame.shape[:2], bool)
        ) & ~kept
        shown = [picture(frame, self.size, "picture")]
        if self.mask:
            white = np.where(allowed, 255, 0).astype(np.uint8)[..., None].repeat(3, -1)
            shown.append(picture(white, self.size, "mask, white where the picture may change"))
        (answer,) = client.ask(Question(self.prompt, tuple(shown), None), 1)
        drawn = _fitted(_drawn(answer), frame)
        moved = _moved(frame, drawn, kept if self.protect else ~allowed)
        if moved > self.tolerance:
            raise EditRefused(
                f"the model changed {100 * moved:.0f} % of what it should not change, more than "
                f"{100 * self.tolerance:g} %; "
                f"word the prompt or the mask more narrowly"
            )
        scene.notes.append(
            _note(client, answer, self.prompt) | {"changed_outside": round(moved, 4)}
        )
        return np.where(allowed[..., None], drawn, frame)


@dataclass(frozen=True)
class Ask:
    """Another wording by a language model. prompt: how, e.g. "name the object by its use"."""

    prompt: str
    client: ModelClient | None = field(default=None, repr=False, compare=False)

    def say(self, instruction: str, scene: Scene) -> str:
        """EditRefused if the model refuses, or its answer holds no instruction."""
        client = _fitting(self.client, drawing=False)
        text = (
            f'A robot is told: "{instruction}"\nWrite another instruction for it: {self.prompt}\n'
            f'Answer with JSON of the form {{"instruction": "..."}} and nothing else.'
        )
        (answer,) = client.ask(Question(text, (), FORM), 1, Reading(_said, REMINDER))
        scene.notes.append(_note(client, answer, text))
        return _instruction(answer)


def _fitting(client: ModelClient | None, drawing: bool) -> ModelClient:
    if client is None:
        raise InputError(
            "an edit by a model needs a table [server] in the file, with the model's name"
        )
    if client.server.provider.endswith(IMAGES) != drawing:
        wanted = f'"openai{IMAGES}" or "gemini{IMAGES}"' if drawing else '"openai" or "gemini"'
        raise InputError(
            f"this step needs provider = {wanted}; images and instructions are edited by a file "
            f"each"
        )
    return client


def _drawn(answer: Answer) -> Frames:
    """The picture in the answer as it is."""
    reply = answer.reply
    if reply.ending == "refused" or not reply.image:
        raise EditRefused(
            f"the model gave no picture ({reply.text or reply.ending}); word the prompt otherwise"
        )
    try:
        data = io.BytesIO(base64.b64decode(reply.image, validate=True))
        formats = ("PNG", "JPEG", "WEBP")
        what = "a PNG, JPEG or WebP picture"
        picture = open_picture(data, "the model's answer", formats, what, "ask for one of these")
        return np.array(picture.convert("RGB"))
    except (InputError, binascii.Error) as error:
        raise EditRefused(str(error)) from None


def _fitted(drawn: Frames, frame: Frames) -> Frames:
    """Resized to the frame."""
    (height, width), (rows, columns) = frame.shape[:2], drawn.shape[:2]
    if abs(columns * height / (rows * width) - 1) > STRETCH:
        raise EditRefused(
            f"the model's picture is {columns}x{rows}, of another form than the frame, "
            f"{width}x{height}"
        )
    return np.array(Image.fromarray(drawn).resize((width, height), Image.Resampling.LANCZOS))


def _moved(frame: Frames, drawn: Frames, watched: Pixels) -> float:
    """Share of the watched pixels that differ visibly; 0 where none is watched."""
    difference = np.abs(frame.astype(int) - drawn.astype(int)).max(-1)
    return float((difference[watched] > VISIBLE).mean()) if watched.any() else 0.0


def _instruction(answer: Answer) -> str:
    """EditRefused if the answer holds none."""
    text, ending = answer.reply.text, answer.reply.ending
    if ending in ("refused", "length"):
        raise EditRefused(
            f"the model gave no instruction ({text if ending == 'refused' else 'cut off'})"
        )
    try:
        return reading(answer.reply, _said)
    except ValueError as error:
        raise EditRefused(
            f"the model's answer holds no instruction ({error}): {text[:80]!r}"
        ) from None


def _said(text: str) -> str:
    """The instruction in a model's answer. ValueError if it is no JSON, for other text may say
    anything, or holds none."""
    if "{" not in text:
        raise ValueError("it is no JSON")
    said = answer_fields(text, ("instruction",))["instruction"]
    wording = " ".join(clean(said).split()) if isinstance(said, str) else ""
    if not 0 < len(wording) <= LONGEST:
        raise ValueError(f"the instruction is empty, longer than {LONGEST} characters, or no text")
    return wording


def _note(client: ModelClient, answer: Answer, prompt: str) -> dict[str, object]:
    """Provenance for the task: what was asked of whom, and what came back."""
    came = answer.reply.image or answer.reply.text
    return {
        "prompt": prompt,
        "provider": client.server.provider,
        "model": client.server.model,
        "served_as": answer.reply.model,
        "answer_sha256": hashlib.sha256(came.encode()).hexdigest(),
        "price_usd": answer.price_usd,
    }
