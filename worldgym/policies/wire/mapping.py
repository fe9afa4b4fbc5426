"""Observation <=> request, answer => actions: the one place that knows what of an observation travels, and under which key.

Axes legend: h rows of a chunk, A numbers of an action, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from worldgym.policies.protocol import Observation
from worldgym.policies.wire.arrays import Array, Malformed
from worldgym.policies.wire.family import OWN, Family
from worldgym.types import Actions, Frames

MAX_TEXT, MAX_SIDE = 10_000, 4096  # characters of an instruction, pixels of a frame's side


def request_of(family: Family, observation: Observation) -> dict[str, Any]:
    """What is sent for an observation. Further views and the state of the robot belong here too."""
    request: dict[str, Any] = {}
    for key, value in family.constants.items():
        _put(request, key, np.asarray(value, np.float32) if isinstance(value, list) else value)
    _put(request, family.frame, _image(family, observation.frame))
    _put(request, family.instruction, observation.instruction)
    return request


def observation_of(family: Family, request: Any) -> Observation:
    """The inverse, on the side of the server. The step is in what our own client adds; others do not say it."""
    own = own_part(request)
    frame, instruction, step = _get(request, family.frame), _get(request, family.instruction), own.get("step", 0)
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise Malformed(f'"{family.frame}" must be an image, uint8 [H, W, 3]')
    if not all(1 <= side <= MAX_SIDE for side in frame.shape[:2]):
        raise Malformed(f'"{family.frame}" must have sides from 1 to {MAX_SIDE} pixels')
    if not isinstance(instruction, str) or len(instruction) > MAX_TEXT:
        raise Malformed(f'"{family.instruction}" must be a text of up to {MAX_TEXT} characters')
    if type(step) is not int or step < 0:
        raise Malformed("the step must be a whole number from 0")
    return Observation(frame, instruction, step)


def own_part(message: Any) -> Mapping[str, Any]:
    """What our own client and server tell each other besides; empty in messages of others."""
    part = message.get(OWN, {}) if isinstance(message, dict) else {}
    if not isinstance(part, dict):
        raise Malformed(f'"{OWN}" must be a map')
    return part


def actions_of(family: Family, answer: Any, chunk: int, size: int) -> Actions:
    """The first `chunk` rows of an answer, float32 [h, A] in the family's convention of `size` numbers. Malformed otherwise."""
    rows = _numbers(_get(answer, family.actions) if family.actions else answer)
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2 or len(rows) < chunk:
        raise Malformed(f"actions of shape {rows.shape} where {chunk} rows are due")
    if family.columns and rows.shape[1] > max(family.columns):
        rows = rows[:, list(family.columns)]
    if rows.shape[1] != size:
        raise Malformed(f"actions of {rows.shape[1]} numbers where {size} are due")
    with np.errstate(over="ignore"):
        actions = rows[:chunk].astype(np.float32)
    if not np.isfinite(actions).all():
        raise Malformed("actions that are not finite numbers")
    return actions


def resize_with_pad(frame: Frames, size: tuple[int, int]) -> Frames:
    """uint8 [H, W, 3] fitted whole into `size` (height, width), black around it: the way openpi's clients do it."""
    height, width = size
    ratio = max(frame.shape[0] / height, frame.shape[1] / width)
    inner = max(1, int(frame.shape[0] / ratio)), max(1, int(frame.shape[1] / ratio))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    out = np.zeros((height, width, 3), np.uint8)
    shrunk = Image.fromarray(frame).resize((inner[1], inner[0]), Image.Resampling.BILINEAR)
    out[top : top + inner[0], left : left + inner[1]] = np.asarray(shrunk)
    return out


def _image(family: Family, frame: Frames) -> Array:
    if family.rotate == 180:
        frame = np.rot90(frame, 2)
    if family.size is not None and frame.shape[:2] != family.size:
        frame = resize_with_pad(frame, family.size)
    return np.ascontiguousarray(frame.transpose(2, 0, 1) if family.channels_first else frame)


def _numbers(value: Any) -> Array:
    try:
        rows = np.asarray(value)
    except ValueError:  # rows of different lengths
        raise Malformed("actions that are no table of numbers") from None
    if rows.dtype.kind not in "iuf":
        raise Malformed("actions that are no numbers")
    return rows


def _put(request: dict[str, Any], key: str, value: Any) -> None:
    """A "." in a key makes a map within a map."""
    *outer, last = key.split(".")
    for name in outer:
        request = request.setdefault(name, {})
    request[last] = value


def _get(message: Any, key: str) -> Any:
    for name in key.split("."):
        if not isinstance(message, dict) or name not in message:
            raise Malformed(f'lacks "{key}"')
        message = message[name]
    return message
