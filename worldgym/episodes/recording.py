"""What a dataset's files hold of an episode, before it is settled which action moves which frame,
and the reader's seam.

Published sets disagree in time: a first action of zeros, the action that led to the frame instead
of the one that leaves it, commands that act over two steps. A `TimeRule` states what is done about
it; after it, action t moves frame t to t + 1. Axes legend: N recorded frames, A action numbers, S
state numbers, H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from worldgym.actions.conventions import METRES, POSE
from worldgym.episodes.states import not_a_pose, plain_names, pose_moves
from worldgym.errors import InputError
from worldgym.io.text import clean
from worldgym.types import MAIN, Actions, ActionSpec, Episode, Frames, States


class AbsentCamera(InputError):
    """An episode was recorded without a camera that others of its dataset have."""


@dataclass(frozen=True)
class RecordingFacts:
    """What a reader learnt of an episode besides its numbers. The defaults say nothing.

    texts: the instruction of each frame, N of them, where it changes within the episode; () = one
    holds throughout. wordings: all that the files call the whole episode, the first one first.
    times: float64 [N], the seconds at which the file shows the frames; None where no file says.
    stated_fps: frames per second as the files state them, whatever the user says.
    state_names: of the state's numbers, as the files name them; () = not named.
    no_pose: why the states are not the robot's pose, in words; "" = nothing speaks against it.
    depth: whether the frames show depth or segments and not a picture.
    notes: what was done to make the episode fit, one sentence each and without names, so that they
    can be counted. contradictions: where the files contradict each other or themselves, likewise;
    `convert --strict` stops at them."""

    texts: tuple[str, ...] = ()
    wordings: tuple[str, ...] = ()
    times: npt.NDArray[np.float64] | None = None
    stated_fps: float | None = None
    state_names: tuple[str, ...] = ()
    no_pose: str = ""
    depth: bool = False
    notes: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recording:
    """frames: uint8 [N, H, W, 3] RGB of the main view.   actions: float32 [N, A] or [N - 1, A].
    states: float32 [N, S], or None.

    fps: frames per second, None where the files do not say or are known to lie.   source: file and
    episode, for messages.   view: name of the main view.   others: frames like it of each further
    view, None where the episode was recorded without it."""

    frames: Frames
    actions: Actions
    states: Actions | None
    instruction: str
    source: str
    fps: float | None = None
    success: bool | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    facts: RecordingFacts = RecordingFacts()
    view: str = MAIN
    others: Mapping[str, Frames | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "instruction", clean(self.instruction))
        object.__setattr__(self, "source", clean(self.source))
        n = len(self.frames)
        if self.actions.ndim != 2 or len(self.actions) not in (n - 1, n):
            raise InputError(
                f"{self.source}: {n} frames but actions of shape {self.actions.shape}; the two "
                f"files do not belong together"
            )
        if self.states is not None and (self.states.ndim != 2 or len(self.states) != n):
            raise InputError(
                f"{self.source}: {n} frames but states of shape {self.states.shape}; re-export the "
                f"episode"
            )
        for what, numbers in (("an action", self.actions), ("a state", self.states)):
            if numbers is not None and not np.isfinite(numbers).all():
                raise InputError(
                    f"{self.source}: {what} is not a finite number; remove or re-export the episode"
                )

    def no_pose(self) -> str:
        """Why the states do not give the robot's pose, in words; "" where they do."""
        if self.states is None:
            return "it holds no states"
        if reason := self.facts.no_pose or not_a_pose(self.facts.state_names):
            return reason
        few = not plain_names(self.facts.state_names) and self.states.shape[1] < len(POSE)
        return f"a state has {self.states.shape[1]} numbers, and a pose {len(POSE)}" if few else ""

    def moves(self, rotation: str = "euler_xyz") -> Actions:
        """float32 [N - 1, 6]: how far the robot's pose moved between frames. InputError where the
        states give none."""
        if (reason := self.no_pose()) or self.states is None:
            raise InputError(f"{self.source}: its states are not the robot's pose ({reason})")
        return pose_moves(self.states, self.facts.state_names, rotation)


@dataclass(frozen=True)
class Listed:
    """An episode as the metadata list it. frames: their number, None where only the episode itself
    tells."""

    name: str
    frames: int | None = None


class Source(Protocol):
    """A dataset. Opening and listing read metadata alone; `read` decodes one episode, of one
    camera.

    kind: "lerobot v3.0", "rlds", ...   cameras: all there are; the first is read unless another was
    asked for. spec: what the actions mean where the files or the user say so, else None.
    `read` raises InputError naming the broken file; one broken episode leaves the others readable.
    """

    @property
    def kind(self) -> str: ...

    @property
    def cameras(self) -> tuple[str, ...]: ...

    @property
    def camera(self) -> str: ...

    @property
    def spec(self) -> ActionSpec | None: ...

    def listing(self) -> Sequence[Listed]: ...

    def read(self, name: str) -> Recording: ...


def no_episode(root: object, name: str) -> InputError:
    """What `read` raises for a name that is not listed."""
    return InputError(f'{root}: no episode "{name}"; list them with  worldgym data inspect')


SUBTASKS = ("join", "first", "last", "split")
FLIPS = ("", "vertical", "horizontal", "both")
TURNS = (0, 90, 180, 270)


@dataclass(frozen=True)
class SourceOptions:
    """camera: "" = the first that shows a picture.   views: several cameras, see
    `worldgym.episodes.several_views`; () = one.   convention: registry name or JSON file, "" =
    what the files say.

    size: (H, W) to resize frames to.   fps: recorded, overrides what the files say.   action,
    state: keys, "" = the usual ones.
    instruction: for episodes that have none.   wording: which of several texts of one episode, from
    1 on.

    subtasks: what an episode is called whose instruction changes: "join" one after the other,
    "first", "last"; or "split" it into an episode each. "" = joined because nobody chose, which a
    strict conversion does not take.

    flip: "vertical" (upside down), "horizontal", "both".   rotate: degrees clockwise, one of
    TURNS.   swap_red_blue: of sets whose writer took one for the other.
    """

    camera: str = ""
    convention: str = ""
    size: tuple[int, int] | None = None
    fps: float | None = None
    action: str = ""
    state: str = ""
    instruction: str = ""
    wording: int = 1
    subtasks: str = ""
    flip: str = ""
    rotate: int = 0
    swap_red_blue: bool = False
    views: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.camera and self.views:
            raise InputError("--camera names one camera and --views several: give one of the two")
        if self.flip not in FLIPS or self.rotate not in TURNS:
            raise InputError(
                f'pictures can be flipped "vertical", "horizontal" or "both", and turned by 90, '
                f"180 or 270 degrees, not "
                f'"{self.flip}" and {self.rotate}'
            )
        if self.fps is not None and not 0.0 < self.fps < math.inf:
            raise InputError(f"{self.fps:g} frames per second are no rate; give a number above 0")
        if self.subtasks and self.subtasks not in SUBTASKS:
            raise InputError(
                f'"{self.subtasks}" is no way to name an episode of several subtasks: one of '
                f"{', '.join(SUBTASKS)}"
            )
        if self.wording < 1:
            raise InputError(f"wording {self.wording} does not exist; they are counted from 1")

    def choose(self, cameras: Sequence[str], where: object, depth: Collection[str] = ()) -> str:
        """The camera asked for, or the first that is not among `depth`. InputError lists what there
        is."""
        if not cameras:
            raise InputError(
                f"{where}: holds no camera; frames are needed to train or look at anything"
            )
        if self.camera and self.camera not in cameras:
            raise InputError(
                f'{where}: no camera "{self.camera}"; choose one of {", ".join(cameras)}'
            )
        colour = [camera for camera in cameras if camera not in depth]
        if not self.camera and not colour:
            raise InputError(
                f"{where}: holds depth maps alone ({', '.join(cameras)}); name one with --camera "
                f"to use it"
            )
        return self.camera or colour[0]


@dataclass(frozen=True)
class TimeRule:
    """drop_first: leave out frame 0 and action 0 (sets that begin with an action of zeros).

    shift: the move from frame t to t + 1 is made by recorded action t + shift; +1 for sets that
    store with a frame the action that led to it, -1 for a command that acts one step late. Ends
    without an action are cut. relabel: replace xyz and rotation by state[t + 1] - state[t], what
    the arm did instead of what it was told."""

    drop_first: bool = False
    shift: int = 0
    relabel: bool = False


def to_episode(recording: Recording, spec: ActionSpec, rule: TimeRule = TimeRule()) -> Episode:
    """The recording in WorldGym's time: T actions between T + 1 frames. The spec's rate becomes the
    recording's own.

    InputError where nothing is left, sizes differ from the spec, or the rule needs states that are
    not there."""
    if recording.actions.shape[1] != spec.size:
        raise InputError(
            f"{recording.source}: actions of {recording.actions.shape[1]} numbers, but the "
            f"convention has {spec.size} "
            f"({', '.join(spec.names)}); name the right one"
        )
    first, last = _span(recording, rule)
    actions = recording.actions[first + rule.shift : last + rule.shift].astype(np.float32)
    if rule.relabel:
        actions[:, : len(POSE)] = _moves(recording, spec)[first:last]
    fps = recording.fps or spec.rate_hz
    facts = (
        recording.success,
        recording.source,
        recording.extras,
        _states(recording, slice(first, last + 1)),
    )
    kept = slice(first, last + 1)
    black = np.zeros_like(recording.frames[kept])
    others = [black if view is None else view[kept] for view in recording.others.values()]
    return Episode(
        np.stack([recording.frames[kept], *others], axis=1),
        actions,
        recording.instruction,
        replace(spec, rate_hz=fps),
        fps,
        *facts,
        views=(recording.view, *recording.others),
        absent=tuple(name for name, view in recording.others.items() if view is None),
    )


def _states(recording: Recording, frames: slice) -> States | None:
    """The recorded states of those frames; names that are not one a number say nothing."""
    if recording.states is None or not recording.states.shape[1]:
        return None
    names = recording.facts.state_names
    fitting = names if len(names) == recording.states.shape[1] else ()
    return States(recording.states[frames].astype(np.float32), fitting, recording.facts.no_pose)


def _span(recording: Recording, rule: TimeRule) -> tuple[int, int]:
    """First and last + 1 of the moves t => t + 1 for which both frames and an action are there."""
    begin = int(rule.drop_first)
    first = max(begin, begin - rule.shift)
    last = min(len(recording.frames) - 1, len(recording.actions) - rule.shift)
    if last <= first:
        raise InputError(
            f"{recording.source}: {len(recording.frames)} frames leave no action under {rule}; "
            f"leave the episode out"
        )
    return first, last


def _moves(recording: Recording, spec: ActionSpec) -> Actions:
    """float32 [N - 1, 6] to put in the place of commanded moves."""
    if spec.names[: len(POSE)] != POSE or spec.mode != "delta_pose" or spec.unit != METRES:
        raise InputError(
            f"{recording.source}: only delta poses in metres and radians can be relabelled from "
            f"states, "
            f"not {spec.mode} in {spec.unit}; leave relabelling off"
        )
    if reason := recording.no_pose():
        raise InputError(
            f"{recording.source}: its states are not the robot's pose ({reason}); leave "
            f"relabelling off"
        )
    return recording.moves(spec.rotation)
