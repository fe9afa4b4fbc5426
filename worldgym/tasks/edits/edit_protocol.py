"""The protocol of an edit: a step takes an initial frame, or an instruction, and returns
another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from worldgym.types import Frames


@dataclass(frozen=True)
class Scene:
    """What a step may use beside the frame. rng: of this edit on this task alone.   notes:
    provenance that a step adds to.   later: a frame of a recording behind the first, where a region
    may be out of sight."""

    rng: np.random.Generator
    notes: list[dict[str, Any]] = field(default_factory=list)
    later: bool = False


def generator_of(text: str) -> np.random.Generator:
    """Randomness that belongs to whatever the text names."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))


class ImageStep(Protocol):
    def paint(self, frame: Frames, scene: Scene) -> Frames:
        """uint8 [H, W, 3] => another of the same shape; the given one stays as it is. InputError
        where it cannot be done."""
        ...


class TextStep(Protocol):
    def say(self, instruction: str, scene: Scene) -> str:
        """Another instruction. InputError if this wording is impossible."""
        ...
