"""Observation <=> request, answer => actions: the only place that knows which parts of an
observation are sent, and under which keys.

A policy that needs past frames, further views or the robot's state gets them here, by what its
family says; frames and states of a history are stacked, the newest last. Between our own client and
server states keep all their digits, so that an evaluation over the wire is the one in process;
servers of others take float32.

Axes legend: h rows of a chunk, A numbers of an action, n frames of a history, S numbers of a state,
H height, W width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from worldgym.policies.policy_protocol import Observation
from worldgym.policies.wire.family import OWN, Family
from worldgym.types import Actions, Frames
from worldgym.wire.wire_arrays import Array, Malformed

MAX_TEXT, MAX_SIDE = 10_000, 4096  # characters of an instruction, pixels of a frame's side


def request_of(family: Family, observation: Observation) -> dict[str, Any]:
    """What is sent for an observation that carries what the family needs."""
    request: dict[str, Any] = {}
    for key, value in family.constants.items():
        _put(request, key, np.asarray(value, np.float32) if isinstance(value, tuple) else value)
    seen = (*observation.past, observation.frame)
    images = [_image(family, family.frame, frame) for frame in seen]
    _put(request, family.frame, np.stack(images) if family.history > 1 else images[-1])
    for key, camera in family.views.items():
        _put(request, key, _image(family, key, observation.views[camera]))
    states = np.array(
        [*observation.past_states, observation.state], np.float64 if family.own else np.float32
    )
    first = 0
    for key, names in family.state.items():
        columns = states[:, first : first + len(names)]
        _put(request, key, columns if family.history > 1 else columns[-1])
        first += len(names)
    _put(request, family.instruction, observation.instruction)
    return request


def observation_of(family: Family, request: Any) -> Observation:
    """The inverse, on the side of our server. The step is in what our own client adds; others do
    not say it."""
    own = own_part(request)
    needs = family.needs
    stack = (family.history,) if family.history > 1 else ()
    instruction = _get(request, family.instruction)
    step = own.get("step", 0)
    frames = _pixels(request, family.frame, stack)
    *past, frame = frames if stack else [frames]
    if not isinstance(instruction, str) or len(instruction) > MAX_TEXT:
        raise Malformed(f'"{family.instruction}" must be a text of up to {MAX_TEXT} characters')
    if type(step) is not int or step < 0:
        raise Malformed("the step must be a whole number from 0")
    others = {camera: _pixels(request, key, ()) for key, camera in family.views.items()}
    views = {needs.cameras[0]: frame, **others} if needs.cameras else {}
    *past_states, state = _states(request, family, stack)
    return Observation(frame, instruction, step, tuple(past), views, state, tuple(past_states))


def own_part(message: Any) -> Mapping[str, Any]:
    """What our own client and server tell each other besides; empty in messages of others."""
    part = message.get(OWN, {}) if isinstance(message, dict) else {}
    if not isinstance(part, dict):
        raise Malformed(f'"{OWN}" must be a map')
    return part


def answer_actions(family: Family, answer: Any, chunk: int, size: int) -> Actions:
    """The first `chunk` rows of an answer, float32 [h, A] in the family's convention of `size`
    numbers. Malformed otherwise."""
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
    """uint8 [H, W, 3] fitted whole into `size` (height, width), black around it: the way openpi's
    clients do it."""
    height, width = size
    ratio = max(frame.shape[0] / height, frame.shape[1] / width)
    inner = max(1, int(frame.shape[0] / ratio)), max(1, int(frame.shape[1] / ratio))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    out = np.zeros((height, width, 3), np.uint8)
    shrunk = Image.fromarray(frame).resize((inner[1], inner[0]), Image.Resampling.BILINEAR)
    out[top : top + inner[0], left : left + inner[1]] = np.asarray(shrunk)
    return out


def _image(family: Family, key: str, frame: Frames) -> Array:
    flip = family.flips.get(key, family.flip)
    if flip in ("vertical", "both"):
        frame = frame[::-1]
    if flip in ("horizontal", "both"):
        frame = frame[:, ::-1]
    if family.rotate == 180 and key not in family.flips:
        frame = np.rot90(frame, 2)
    if family.size is not None and frame.shape[:2] != family.size:
        frame = resize_with_pad(frame, family.size)
    return np.ascontiguousarray(frame.transpose(2, 0, 1) if family.channels_first else frame)


def _pixels(request: Any, key: str, stack: tuple[int, ...]) -> Frames:
    """uint8 [*stack, H, W, 3]. Malformed for anything else."""
    value = _get(request, key)
    whole = (
        isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == len(stack) + 3
    )
    if not whole or value.shape[: len(stack)] != stack or value.shape[-1] != 3:
        what = (
            f"{stack[0]} images, uint8 [{stack[0]}, H, W, 3]"
            if stack
            else "an image, uint8 [H, W, 3]"
        )
        raise Malformed(f'"{key}" must be {what}')
    if not all(1 <= side <= MAX_SIDE for side in value.shape[-3:-1]):
        raise Malformed(f'"{key}" must have sides from 1 to {MAX_SIDE} pixels')
    frames: Frames = value
    return frames


def _states(request: Any, family: Family, stack: tuple[int, ...]) -> list[tuple[float, ...]]:
    """The state at each frame, oldest first; empty ones where the family has none. Malformed for
    anything else."""
    parts = []
    for key, names in family.state.items():
        value = _get(request, key)
        if (
            not isinstance(value, np.ndarray)
            or value.dtype.kind != "f"
            or value.shape != (*stack, len(names))
        ):
            raise Malformed(
                f'"{key}" must be floats of the shape {[*stack, len(names)]}: {", ".join(names)}'
            )
        if not (np.abs(value) <= np.finfo(np.float32).max).all():
            raise Malformed(f'"{key}" holds numbers that are not finite, or beyond float32')
        parts.append(value.reshape(family.history, len(names)))
    rows = np.concatenate(parts, axis=1) if parts else np.empty((family.history, 0))
    return [tuple(map(float, row)) for row in rows]


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
            raise Malformed(f'no "{key}"')
        message = message[name]
    return message
