"""What a world declares: the action convention, views and size of its frames, and how it may be
called. Other people's worlds differ in chunk, rate, history and seeds (docs/worlds.md). All of it
is data here, so that the evaluator, the server and the checks treat every world in the same way.
NumPy only: a world's own environment needs no more. Axes legend: h actions of a step, k actions per
frame."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from worldgym.actions.sound_spec import fault_of_spec
from worldgym.io.records import from_mapping
from worldgym.types import ActionSpec

if TYPE_CHECKING:
    from worldgym.world.world_protocol import World

PROTOCOL = 1  # of the wire
MAX_TEXT = 200  # characters of a name
MAX_NAMES = 100  # views, or numbers of a state
MAX_SIDE = 4096  # pixels
MAX_COUNT = 100_000  # actions of a chunk, of a frame, of a horizon; frames of a history
MAX_DETAILS = 100_000  # characters of `WorldCard.details` as JSON
MAX_HISTORY = 2**31  # bytes of the frames that a rollout begins with, those in between included


@dataclass(frozen=True)
class Chunk:
    """Actions that one step takes: `least` to `most`, in multiples of `multiple`.   most: None =
    any number."""

    least: int = 1
    most: int | None = None
    multiple: int = 1

    def __post_init__(self) -> None:
        most = MAX_COUNT if self.most is None else self.most
        if not 1 <= self.multiple <= self.least <= most <= MAX_COUNT:
            raise ValueError(
                f"a chunk of {self.least} to {self.most} actions in multiples of {self.multiple} "
                f"cannot be: 1 <= multiple <= least <= most"
            )
        if self.least % self.multiple or (most % self.multiple and self.most is not None):
            raise ValueError(
                f"least {self.least} and most {self.most} must be multiples of {self.multiple}"
            )

    @staticmethod
    def exactly(actions: int) -> Chunk:
        """A world that takes one number of actions and no other."""
        return Chunk(actions, actions, actions)

    @property
    def free(self) -> bool:
        """Whether any number of actions from 1 on does."""
        return self.least == self.multiple == 1

    def pieces(self, actions: int) -> list[int] | None:
        """Steps that take so many actions together, each as long as possible; None where none
        do."""
        if actions < self.least or actions % self.multiple:
            return None
        if self.most is None or actions <= self.most:
            return [actions]
        count = -(-actions // self.most)
        whole = actions // self.multiple
        sizes = [whole // count + (i < whole % count) for i in range(count)]
        found = [size * self.multiple for size in sizes]
        return found if min(found) >= self.least else None

    def padded(self, actions: int) -> int:
        """The least number that is no less than `actions` and that steps take."""
        up = max(self.least, -(-actions // self.multiple) * self.multiple)
        return next(n for n in range(up, up + MAX_COUNT, self.multiple) if self.pieces(n))

    def covered(self, actions: int) -> int:
        """The greatest number up to `actions` that steps take; 0 where there is none."""
        down = actions - actions % self.multiple
        return next((n for n in range(down, 0, -self.multiple) if self.pieces(n)), 0)


@dataclass(frozen=True)
class History:
    """Frames that a rollout begins with, the initial one last.   spacing: actions between two of
    them.   pad: whether a single initial frame may be repeated, as if the robot had stood still."""

    frames: int = 1
    spacing: int = 1
    pad: Literal["repeat", "refuse"] = "repeat"

    def __post_init__(self) -> None:
        sound = 1 <= self.frames <= MAX_COUNT and 1 <= self.spacing <= MAX_COUNT
        if not sound or self.actions > MAX_COUNT:
            raise ValueError(f"a history of {self.frames} frames, {self.spacing} actions apart")

    @property
    def actions(self) -> int:
        """That lead from the first of its frames to the last."""
        return (self.frames - 1) * self.spacing


def _shortened(names: tuple[str, ...]) -> str:
    """The first of them, for a message."""
    shown = ", ".join(repr(name[:40]) for name in names[:5])
    return f"({shown}{', ...' if len(names) > 5 else ''})"


def _check_names(names: tuple[str, ...]) -> None:
    sound = all(0 < len(name) <= MAX_TEXT and name.isprintable() for name in names)
    if len(names) > MAX_NAMES or not sound:
        raise ValueError(
            f"{_shortened(names)} must be up to {MAX_NAMES} names of 1 to {MAX_TEXT} printable "
            f"characters"
        )
    if double := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f'"{double}" is named twice in {_shortened(names)}')


@dataclass(frozen=True)
class Capabilities:
    """How a world may be called. The default is a world like ours, without restrictions.

    chunk: actions that a step takes.   stride: actions per frame, k; a step of h actions draws h /
    k. history: frames that a rollout begins with. causal:  frames do not depend on later actions of
    their step. rewind:  `reset` from the newest frames of a rollout continues like its state;
    then a step may
             be carried out in part.
    seeds:   "row" one per row; "batch" one for all rows of a call, the first; "none" the world
    draws its own noise, and no result is repeatable. branching: "any" a state stays valid when it
    was stepped; "latest" the newest one alone, and one
             rollout at a time.
    batch:   rows of a call at most, None = any.   horizon: actions of a rollout at most, None =
             any.
    instruction: whether a rollout begins with one.   state: numbers of the robot's state that it
             begins with, by name.   returns: numbers of the robot's state that it predicts."""

    chunk: Chunk = field(default_factory=Chunk)
    stride: int = 1
    history: History = field(default_factory=History)
    causal: bool = True
    rewind: bool = False
    seeds: Literal["row", "batch", "none"] = "row"
    branching: Literal["any", "latest"] = "any"
    batch: int | None = None
    horizon: int | None = None
    instruction: bool = False
    state: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        counts = [self.stride, *(n for n in (self.batch, self.horizon) if n is not None)]
        if not all(1 <= count <= MAX_COUNT for count in counts):
            raise ValueError(f"stride, batch and horizon must be 1 to {MAX_COUNT}")
        if self.chunk.multiple % self.stride:
            raise ValueError(
                f"a stride of {self.stride} actions per frame needs chunks in multiples of it, not "
                f"of {self.chunk.multiple}"
            )
        for names in (self.state, self.returns):
            _check_names(names)

    @property
    def begins_with_more(self) -> bool:
        """Whether a rollout begins with more than an initial frame."""
        return self.history.frames > 1 or self.instruction or bool(self.state)

    @property
    def most_rows(self) -> int | None:
        """Rows of a call at which each keeps noise of its own."""
        return 1 if self.seeds == "batch" or self.branching == "latest" else self.batch

    def to_json(self) -> dict[str, Any]:
        """What differs from the default."""
        plain = asdict(PLAIN)
        return {key: value for key, value in asdict(self).items() if value != plain[key]}

    @staticmethod
    def from_json(values: Any) -> Capabilities:
        """ValueError or TypeError, in words, where the values are none."""
        return from_mapping(Capabilities, values)


PLAIN = Capabilities()


@dataclass(frozen=True)
class WorldCard:
    """All that a world announces.

    frame_shape: (H, W, 3) of every view.   views: names of the cameras, the first is the main one.
    completes:   draws views that a task does not bring.   details: what its name does not tell of
    how it computes, for a log; JSON values."""

    name: str
    spec: ActionSpec
    frame_shape: tuple[int, int, int]
    views: tuple[str, ...]
    capabilities: Capabilities = PLAIN
    completes: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and 1 <= len(self.name) <= MAX_TEXT):
            raise ValueError(f"the name of a world has 1 to {MAX_TEXT} characters")
        if not self.name.isprintable():
            raise ValueError("the name of a world has characters that cannot be printed")
        _check_names(self.views)
        if not self.views:
            raise ValueError("its views are one name or more, and it has none")
        if self.frame_shape[2] != 3 or not all(1 <= n <= MAX_SIDE for n in self.frame_shape):
            raise ValueError(f"frames are {self.frame_shape}, not (H, W, 3) of 1 to {MAX_SIDE}")
        if fault := fault_of_spec(self.spec):
            raise ValueError(fault)
        begins = self.frame_bytes * (self.capabilities.history.actions + 1)
        if begins > MAX_HISTORY:
            raise ValueError(
                f"a rollout would begin with {begins >> 20} MiB of frames; its history may have "
                f"{MAX_HISTORY >> 20}"
            )
        if len(json.dumps(dict(self.details), allow_nan=False)) > MAX_DETAILS:
            raise ValueError("its details are too long")

    @property
    def frame_bytes(self) -> int:
        """Of one frame, all views."""
        return len(self.views) * math.prod(self.frame_shape)

    @property
    def rate_hz(self) -> float:
        """Frames per second."""
        return self.spec.rate_hz / self.capabilities.stride

    @staticmethod
    def of(
        world: World[Any], completes: bool = False, details: Mapping[str, Any] | None = None
    ) -> WorldCard:
        """ValueError where what the world says is unsound."""
        return WorldCard(
            world.name,
            world.spec,
            world.frame_shape,
            world.views,
            world.capabilities,
            completes,
            details or {},
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "name": self.name,
            "spec": self.spec.to_json(),
            "frame_shape": list(self.frame_shape),
            "views": list(self.views),
            "capabilities": self.capabilities.to_json(),
            "completes": self.completes,
            "details": dict(self.details),
        }

    @staticmethod
    def from_json(data: Any) -> WorldCard:
        """ValueError or TypeError, in words, where the data are no card of this protocol."""
        if not isinstance(data, Mapping):
            raise TypeError("a world's card must be a map")
        if data.get("protocol") != PROTOCOL:
            raise ValueError(
                f"it speaks version {data.get('protocol')!r} of the protocol, and this is "
                f"{PROTOCOL}: install the same WorldGym on both sides"
            )
        rest = {key: value for key, value in data.items() if key != "protocol"}
        return from_mapping(WorldCard, rest)
