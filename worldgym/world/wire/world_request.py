"""What a client of a served world may ask, read with bounds: the one place that knows the keys.

    the server first    {"world": card}
    {"call": "reset",    "frames", "seeds", "actions", "instructions", "state"} => {"state": token}
    {"call": "complete", "frames", "given", "seeds"}                            => {"frames"}
    {"call": "step",     "state": token, "actions"}       => {"state": token, "frames"}
    {"call": "fork",     "state": token}                  => {"state": token}
    {"call": "close"}                                     => {}

Every call may name tokens to let go in "release". An answer to "reset" or "step" has "robot_state"
too where the world predicts it. Axes as in `worldgym.world.world_start`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from worldgym.types import Actions, Frames
from worldgym.wire.wire_arrays import Array, Malformed
from worldgym.world.capabilities import WorldCard
from worldgym.world.world_start import RobotStates, Start

MAX_TEXT = 10_000  # characters of an instruction
MAX_TOKEN = 100
MAX_RELEASED = 10_000  # tokens named in one call
MAX_SEED = 2**63 - 1
MAX_BYTES = 256 * 2**20  # of a message in either direction


def rows_that_fit(card: WorldCard, actions: int) -> int:
    """Rows of which a step of so many actions, and a beginning, go in one message each."""
    can = card.capabilities
    drawn = actions // can.stride * (card.frame_bytes + 4 * len(can.returns)) + 4 * actions
    return (MAX_BYTES - 2**20) // max(drawn, _beginning(card))


def _beginning(card: WorldCard) -> int:
    """Bytes of a row of a request to begin."""
    can = card.capabilities
    numbers = card.spec.size * can.history.actions + len(can.state)
    return can.history.frames * card.frame_bytes + 4 * numbers + 4 * MAX_TEXT


def most_request(card: WorldCard, rows: int) -> int:
    """Bytes of the longest request that makes sense: to begin so many rows, or a step of them."""
    actions = card.capabilities.chunk.most or 10_000
    return min(rows * (_beginning(card) + 4 * card.spec.size * actions) + 2**20, MAX_BYTES)


def beginning_of(request: Mapping[str, Any], card: WorldCard, most: int) -> Start:
    """Malformed unless it fits the card.   most: rows."""
    can = card.capabilities
    frames = request.get("frames")
    shape = (can.history.frames, len(card.views), *card.frame_shape)
    frames = _frames(frames, shape, most, "frames")
    rows = len(frames)
    instructions = request.get("instructions", [""] * rows)
    if (
        not isinstance(instructions, list)
        or len(instructions) != rows
        or not all(isinstance(one, str) and len(one) <= MAX_TEXT for one in instructions)
    ):
        raise Malformed(f'"instructions" must be {rows} texts of up to {MAX_TEXT} characters')
    none = np.zeros((rows, 0), np.float32)
    actions = request.get("actions", none[:, :, None].repeat(card.spec.size, 2))
    return Start(
        frames,
        _seeds(request.get("seeds"), rows),
        _floats(actions, (rows, can.history.actions, card.spec.size), "actions"),
        tuple(instructions),
        _floats(request.get("state", none), (rows, len(can.state)), "state"),
    )


def completing_of(
    request: Mapping[str, Any], card: WorldCard, most: int
) -> tuple[Frames, Array, list[int]]:
    """Frames uint8 [B, V, H, W, 3], which of them are given bool [B, V], and seeds."""
    shape = (len(card.views), *card.frame_shape)
    frames = _frames(request.get("frames"), shape, most, "frames")
    given = request.get("given")
    if (
        not isinstance(given, np.ndarray)
        or given.dtype != np.bool_
        or given.shape != frames.shape[:2]
        or not given[:, 0].all()
    ):
        raise Malformed(f'"given" must be truth values {list(frames.shape[:2])}, the first true')
    return frames, given, _seeds(request.get("seeds"), len(frames))


def actions_of(request: Mapping[str, Any], card: WorldCard, rows: int) -> Actions:
    """float32 [B, h, A] of one step. Malformed for a chunk that the world does not take."""
    actions = request.get("actions")
    steps = actions.shape[1] if isinstance(actions, np.ndarray) and actions.ndim == 3 else 0
    whole = _floats(actions, (rows, steps, card.spec.size), "actions")
    chunk = card.capabilities.chunk
    if steps < 1 or chunk.pieces(steps) != [steps]:
        raise Malformed(
            f"a step takes {chunk.least} to {chunk.most or 'any number of'} actions in multiples "
            f"of {chunk.multiple}, not {steps}"
        )
    if rows > rows_that_fit(card, steps):
        raise Malformed(
            f"the frames of {rows} rows and {steps} actions are more than {MAX_BYTES >> 20} MiB: "
            f"ask for fewer rows or actions"
        )
    return whole


def token_of(request: Mapping[str, Any]) -> str:
    token = request.get("state")
    if not isinstance(token, str) or len(token) > MAX_TOKEN:
        raise Malformed('"state" must be a token')
    return token


def released_of(request: Mapping[str, Any]) -> list[str]:
    tokens = request.get("release", [])
    if not isinstance(tokens, list) or len(tokens) > MAX_RELEASED:
        raise Malformed(f'"release" must be up to {MAX_RELEASED} tokens')
    return [token for token in tokens if isinstance(token, str)]


def drawn_of(answer: Any, card: WorldCard, rows: int, frames: int) -> Frames:
    """uint8 [B, frames, V, H, W, 3] of an answer. Malformed for anything else."""
    drawn = answer.get("frames") if isinstance(answer, Mapping) else None
    shape = (rows, frames, len(card.views), *card.frame_shape)
    if not isinstance(drawn, np.ndarray) or drawn.dtype != np.uint8 or drawn.shape != shape:
        raise Malformed(f"no frames uint8 {list(shape)}")
    return drawn


def told_of(answer: Any, card: WorldCard, rows: int, frames: int) -> RobotStates:
    """float32 [B, frames, S] of an answer, the robot's states; [B, 0, S] where it has none and none
    are due (`frames` is 0)."""
    names = card.capabilities.returns
    told = answer.get("robot_state") if isinstance(answer, Mapping) else None
    if told is None:
        told = np.zeros((rows, 0, len(names)), np.float32)
    found = told.shape[1] if isinstance(told, np.ndarray) and told.ndim == 3 else -1
    if names and frames == 0 and found in (0, 1):  # of the initial frame, which is not always known
        frames = found
    return _floats(told, (rows, frames if names else 0, len(names)), "robot_state")


def _frames(value: Any, shape: tuple[int, ...], most: int, key: str) -> Frames:
    whole = isinstance(value, np.ndarray) and value.dtype == np.uint8
    if not whole or value.ndim != len(shape) + 1 or value.shape[1:] != shape:
        raise Malformed(f'"{key}" must be uint8 [B, {", ".join(map(str, shape))}]')
    if not 1 <= len(value) <= most:
        raise Malformed(f"{len(value)} rows: this server takes 1 to {most}")
    frames: Frames = value
    return frames


def _floats(value: Any, shape: tuple[int, ...], key: str) -> Actions:
    whole = isinstance(value, np.ndarray) and value.dtype == np.float32 and value.shape == shape
    if not whole or not np.isfinite(value).all():
        raise Malformed(f'"{key}" must be finite numbers, float32 {list(shape)}')
    floats: Actions = value
    return floats


def _seeds(value: Any, rows: int) -> list[int]:
    if (
        not isinstance(value, list)
        or len(value) != rows
        or not all(type(seed) is int and 0 <= seed <= MAX_SEED for seed in value)
    ):
        raise Malformed(f'"seeds" must be {rows} whole numbers from 0 to 2^63 - 1')
    return value
