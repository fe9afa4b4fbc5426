"""The policy protocol: a batch of trials in, one chunk of actions for each out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from worldgym.io.records import from_mapping
from worldgym.types import Actions, ActionSpec, Frames, Trial

State = TypeVar("State")
MAX_HISTORY = 1000  # frames
MAX_NAMES, MAX_NAME = 100, 100  # cameras, or numbers of a state; characters of each name
NAME = re.compile(r"\w[\w.+@ -]{0,99}", re.ASCII)  # of a policy


@dataclass(frozen=True)
class Needs:
    """What a policy must be shown besides an instruction, and how it is asked. The default is the
    newest frame and nothing else.

    history:   frames shown, the newest included, one per action. Before there are so many, the
               initial frame is repeated.
    cameras:   names of the views, if the policy tells them apart. A world draws those of its own
               views' names, and the first whatever its name.
    blackened: cameras that may be black where the world does not draw them; such trials are
    flagged.
    state:     names of the numbers of proprioception, in the policy's order
    (`worldgym.actions.pose.NUMBERS`). from_zero: state may be counted from zero and an open gripper
    where a task does not say how it starts; flagged too. elsewhere: it computes on another machine,
    or in its own process, so the world continues with other trials meanwhile."""

    history: int = 1
    cameras: tuple[str, ...] = ()
    blackened: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    from_zero: bool = False
    elsewhere: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.history <= MAX_HISTORY:
            raise ValueError(f"history must be 1 to {MAX_HISTORY} frames, not {self.history}")
        if extra := set(self.blackened) - set(self.cameras):
            raise ValueError(
                f"blackened names {', '.join(sorted(extra))}, which is not among the cameras"
            )
        for names in (self.cameras, self.state):
            if len(names) > MAX_NAMES or not all(
                isinstance(name, str) and 0 < len(name) <= MAX_NAME for name in names
            ):
                raise ValueError(
                    f"cameras and state are up to {MAX_NAMES} names of 1 to {MAX_NAME} characters"
                )

    def to_json(self) -> dict[str, Any]:
        """What it must be shown that differs from the default, as JSON values; where it computes is
        left out."""
        plain = asdict(NEWEST_FRAME)
        values = {
            key: value
            for key, value in asdict(self).items()
            if value != plain[key] and key != "elsewhere"
        }
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in values.items()
        }

    @staticmethod
    def from_json(values: Any) -> Needs:
        """From what `to_json` gives. ValueError or TypeError, in words, where the values are no
        needs."""
        return from_mapping(Needs, values)


NEWEST_FRAME = Needs()


@dataclass(frozen=True)
class Observation:
    """What a policy sees of one trial.

    frame: uint8 [H, W, 3] RGB, the newest of the policy's first camera, or of the main view where
    it names none.   step: actions taken so far.
    past:  the frames before it, oldest first, `history - 1` of them; the last `step` of these were
    drawn, the others are repeats. views: {camera: uint8 [H, W, 3]}, each of the policy's cameras.
    state: one number for each name of `Needs.state`.   past_states: the same at each frame of
    `past`."""

    frame: Frames
    instruction: str
    step: int
    past: tuple[Frames, ...] = ()
    views: Mapping[str, Frames] = field(default_factory=dict)
    state: tuple[float, ...] = ()
    past_states: tuple[tuple[float, ...], ...] = ()

    @property
    def history(self) -> Frames:
        """uint8 [`Needs.history`, H, W, 3], the newest last."""
        return np.stack([*self.past, self.frame])


class Policy(Protocol[State]):
    """name: identifies it in logs and files, unique in a run, see NAME.   chunk: actions returned
    by one call, h.

    needs: what observations must carry; NEWEST_FRAME for a policy of one frame.
    State is one object a trial, carried by the caller; a policy without memory uses None.
    """

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> ActionSpec: ...

    @property
    def chunk(self) -> int: ...

    @property
    def needs(self) -> Needs: ...

    def reset(self, trials: Sequence[Trial]) -> list[State]:
        """One state per trial. Randomness comes from `trial.seed`, never from the batch."""
        ...

    def act(
        self, states: Sequence[State], observations: Sequence[Observation]
    ) -> tuple[list[State], Actions]:
        """=> (new states, actions float32 [B, h, A] in `spec`). Row b depends on row b alone."""
        ...
