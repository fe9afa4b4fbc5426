"""The content of an episode's files, before it is decided which action moves which frame
(`worldgym.episodes.time_rule`), and the reader's seam.

Axes legend: N recorded frames, A action numbers, S state numbers, H height, W width."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from worldgym.actions.conventions import POSE
from worldgym.episodes.states import not_a_pose, plain_names, pose_moves
from worldgym.errors import InputError
from worldgym.io.text import clean
from worldgym.types import MAIN, Actions, ActionSpec, Frames


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
    can be counted. contradictions: where the files contradict each other or themselves, in such
    sentences; `convert --strict` stops at them."""

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

    fps: frames per second, None if the files do not say it or are known to be wrong.   source: file
    and
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
    "first", "last"; or "split" it into one episode each. "" = joined because nobody chose, which a
    strict conversion does not take.

    flip: "vertical" (upside down), "horizontal", "both".   rotate: degrees clockwise, one of
    TURNS.   swap_red_blue: of sets whose writer took one for the other.

    state_names: of the state's numbers, () = what the files say.
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
    state_names: tuple[str, ...] = ()

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
                f"{where}: holds only depth maps ({', '.join(cameras)}); name one with --camera "
                f"to use it"
            )
        return self.camera or colour[0]
