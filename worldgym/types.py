"""The nouns of WorldGym. Every stage of the pipeline is a function from one of these to the next.

Images are uint8 RGB, HWC. Axes legend: T time, V views (cameras), H height, W width, C channels,
A action numbers. Several cameras have one form: an axis V directly before H, and the first view is
the main one. V = 1 for one camera (docs/decisions/0017).
NumPy only: this module is imported by everything, the statistics and the report included.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]  # [T, V, H, W, 3], of one view [T, H, W, 3], or [H, W, 3], RGB
MAIN = "main"  # name of the view of a single camera that nobody named
ONE_VIEW = (MAIN,)
Actions = npt.NDArray[np.float32]  # [T, A]
ROUNDING = 1e-9  # scores, and means and sums of them, that differ by less are equal


@dataclass(frozen=True)
class ActionSpec:
    """What the numbers of an action mean. Compared before the first frame is generated.

    names:    one per number, in order.
    mode:     control mode: "delta_pose", "absolute_pose", "joint_velocity", "joint_position".
    unit:     what the value 1.0 means for the translation numbers, in words with SI units.
    rotation: "none", "euler_xyz", "axis_angle", "quaternion".
    gripper:  "none", "+1_closed", "+1_open", "1_open_0_closed", "1_closed_0_open".
    low/high: one bound per number, same length as names.
    rate_hz:  actions per second.
    """

    names: tuple[str, ...]
    mode: str
    unit: str
    rotation: str
    gripper: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    rate_hz: float

    def __post_init__(self) -> None:
        """Whole numbers, as JSON and TOML may hold them, become floats."""
        object.__setattr__(self, "low", tuple(map(float, self.low)))
        object.__setattr__(self, "high", tuple(map(float, self.high)))
        object.__setattr__(self, "rate_hz", float(self.rate_hz))

    @property
    def size(self) -> int:
        return len(self.names)

    def differences(self, other: ActionSpec) -> list[str]:
        """One sentence for every field in which the two conventions differ; empty if they agree."""
        fields = ("names", "mode", "unit", "rotation", "gripper", "low", "high", "rate_hz")
        mine, theirs = self.to_json(), other.to_json()
        return [f"{f}: {mine[f]} against {theirs[f]}" for f in fields if mine[f] != theirs[f]]

    def to_json(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "mode": self.mode,
            "unit": self.unit,
            "rotation": self.rotation,
            "gripper": self.gripper,
            "low": list(self.low),
            "high": list(self.high),
            "rate_hz": self.rate_hz,
        }


@dataclass(frozen=True)
class States:
    """Recorded states of the robot, one for each frame of an episode.

    values: float32 [T+1, S].   names: of the numbers; () = not named.
    no_pose: why they are not the robot's pose, in words; "" = nothing speaks against it.
    """

    values: npt.NDArray[np.float32]
    names: tuple[str, ...] = ()
    no_pose: str = ""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or (self.names and len(self.names) != self.values.shape[1]):
            raise ValueError(
                f"states of shape {self.values.shape} and {len(self.names)} names do not fit"
            )

    def only(self, frames: npt.NDArray[np.intp] | slice) -> States:
        """The states of some of the frames."""
        return States(self.values[frames], self.names, self.no_pose)


@dataclass(frozen=True)
class Episode:
    """Recorded data. Action t is applied between frame t and frame t+1.

    frames:  uint8 [T+1, V, H, W, 3] RGB.   actions: float32 [T, A] in the units of `spec`.
    success: True, False, or None where it is unknown.   source: where it came from, in words.
    states:  of the robot, where they were recorded.
    views:   names of the cameras; the first is the main one.   absent: those that this episode was
    recorded without: their frames are black and stand for nothing. The main one is never absent.
    """

    frames: Frames
    actions: Actions
    instruction: str
    spec: ActionSpec
    fps: float
    success: bool | None = None
    source: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)
    states: States | None = None
    views: tuple[str, ...] = ONE_VIEW
    absent: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_views(self.frames, self.views)
        if not set(self.absent) <= set(self.views[1:]):
            raise ValueError(
                f"absent names {self.absent}; only the further views of {self.views} may be absent"
            )
        if self.actions.shape != (len(self.frames) - 1, self.spec.size):
            expected = (len(self.frames) - 1, self.spec.size)
            raise ValueError(
                f"actions must have shape {expected} for {len(self.frames)} frames, not "
                f"{self.actions.shape}"
            )
        if self.states is not None and len(self.states.values) != len(self.frames):
            raise ValueError(
                f"{len(self.states.values)} states do not go with {len(self.frames)} frames"
            )

    def __len__(self) -> int:
        """Number of actions, T."""
        return len(self.actions)

    @property
    def main(self) -> Frames:
        """uint8 [T+1, H, W, 3] of the main view."""
        return self.frames[:, 0]


@dataclass(frozen=True)
class Task:
    """One initial frame and what is asked of the robot.

    name:   unique in a suite, e.g. "drawer-open/10003".   group: what results are summed over, e.g.
    "drawer-open".
    frame:  uint8 [H, W, 3] RGB of the main view.   steps: actions a rollout may take.
    others: initial frames of further views, by name; what is not there a world draws itself.
    partial_credit: written criterion for a score of 0.5, or "" where there is none.   success: the
    same of a score of 1. nominal: name of the unedited twin if this task is an out-of-distribution
    edit; axis: what then differs, e.g. "lighting"; new_goal: the edit asks for something else than
    its twin, so that their rates differ by more than difficulty.
    state:  how the robot stands in the initial frame, by name (`worldgym.actions.pose.NUMBERS`:
    metres, rad); empty if not known."""

    name: str
    group: str
    frame: Frames
    instruction: str
    steps: int
    partial_credit: str = ""
    tags: tuple[str, ...] = ()
    nominal: str | None = None
    axis: str = ""
    new_goal: bool = False
    success: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, Frames] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """The unit of evaluation: task x repeat. Two policies, and a task and its edited twin, meet the
    same noise: their differences are paired."""

    task: Task
    repeat: int
    run_seed: int

    @property
    def key(self) -> str:
        return f"{self.task.name}#{self.repeat}"

    @property
    def seed(self) -> int:
        """63-bit seed derived from (run seed, task or its nominal twin, repeat), never from the
        policy or the batch."""
        return trial_seed(self.run_seed, self.task.nominal or self.task.name, self.repeat)


def trial_seed(run_seed: int, task: str, repeat: int) -> int:
    """`Trial.seed`.   task: the name of the task, or of its nominal twin."""
    digest = hashlib.sha256(f"{run_seed}/{task}/{repeat}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True)
class Rollout:
    """What happened in one trial. frames: uint8 [T+1, V, H, W, 3], initial frame first. actions:
    float32 [T, A]. views: names of the cameras; the first is the main one.

    seconds: wall time.   timing: its parts in seconds where known (world, decode, policy).
    clipped: actions that the policy wanted outside its bounds; `actions` has them clipped.
    """

    trial: Trial
    policy: str
    frames: Frames
    actions: Actions
    seconds: float = 0.0
    flags: tuple[str, ...] = ()
    timing: Mapping[str, float] = field(default_factory=dict)
    clipped: int = 0
    views: tuple[str, ...] = ONE_VIEW

    def __post_init__(self) -> None:
        check_views(self.frames, self.views)

    @property
    def main(self) -> Frames:
        """uint8 [T+1, H, W, 3] of the main view."""
        return self.frames[:, 0]

    def shown(self, views: Sequence[str] = ()) -> Frames:
        """uint8 [T+1, H, n W, 3]: these views side by side; the main one where none is named.
        KeyError for a view that it does not have."""
        if missing := [view for view in views if view not in self.views]:
            raise KeyError(missing[0])
        chosen = [self.views.index(view) for view in views] or [0]
        return joined_views(self.frames[:, chosen])


def check_views(frames: Frames, views: tuple[str, ...]) -> None:
    """ValueError unless frames are uint8 [T, V, H, W, 3] with one name per view, each once."""
    if frames.ndim != 5 or frames.dtype != np.uint8 or frames.shape[-1] != 3:
        raise ValueError(
            f"frames must be uint8 [T+1, V, H, W, 3], not {frames.dtype} {frames.shape}"
        )
    if frames.shape[1] != len(views) or len(set(views)) < len(views):
        raise ValueError(f"{frames.shape[1]} views do not go with the names {views}")


def joined_views(frames: Frames) -> Frames:
    """uint8 [T, V, H, W, 3] => [T, H, V * W, 3]: what people are shown, the main view on the
    left. Of one view the frames as they are."""
    return np.concatenate([frames[:, v] for v in range(frames.shape[1])], axis=2)


def separate_views(frames: Frames, views: int) -> Frames:
    """uint8 [T, H, V * W, 3] => [T, V, H, W, 3]: the inverse of `joined_views`. ValueError where
    the width is no multiple of `views`."""
    if frames.shape[2] % views:
        raise ValueError(f"frames of {frames.shape[2]} columns are not {views} views side by side")
    return np.stack(np.split(frames, views, axis=2), axis=1)


@dataclass(frozen=True)
class Vote:
    """One answer of a judge that is asked several times. score: in [0, 1], or None = no usable
    answer, for `reason`."""

    score: float | None
    reason: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.score or 0.0) and math.isfinite(self.cost_usd)):
            raise ValueError(
                f"score and cost of a vote must be finite, not {self.score} and {self.cost_usd}"
            )
        _become(self, "score", None if self.score is None else float(self.score))
        _become(self, "cost_usd", float(self.cost_usd))


MOTIONLESS = "no motion"  # flag of a rollout in which the arm was told to stay where it is


def is_success(score: float) -> bool:
    """Whether a score counts as a success where yes or no is asked for: above one half, and by more
    than a sum's last bits. Partial credit of one half is no success."""
    return score > 0.5 + ROUNDING


def _become(record: Vote | Verdict, field_name: str, value: float | None) -> None:
    """A field of a frozen record, while it is made."""
    object.__setattr__(record, field_name, value)


# progress of a rollout: (number of the frame, progress in [0, 1], probability in [0, 1] that the
# video up to it shows success, None where the judge has none), in the order of time
Curve = tuple[tuple[int, float, float | None], ...]


def check_curve(curve: Curve) -> None:
    """ValueError for frames out of order, and for shares outside [0, 1]."""
    shares = [share for point in curve for share in point[1:] if share is not None]
    frames = [point[0] for point in curve]
    if frames != sorted(set(frames)) or not all(0.0 <= share <= 1.0 for share in shares):
        raise ValueError(f"a curve has frames in order and shares in [0, 1], not {curve}")


@dataclass(frozen=True)
class Verdict:
    """What a judge says of a rollout. `score` in [0, 1], or None = UNSCORED with a reason.

    A judge that cannot decide is never a failure of the robot: unscored trials leave the rate's
    denominator.
    probability: the judge's own probability of success, where it has one.   progress: in [0, 1],
    where it has one.
    curve: progress along the frames, where the judge says so.
    votes: the answers behind it. cost_usd: their price.   paid_usd: what was paid just now, votes
    already bought left out. provenance: how it was made, as JSON values: model, hash of the prompt,
    frames looked at. seconds: how long the judge took; whoever calls it fills that in.
    Numbers of other kinds (NumPy's) become floats. ValueError or TypeError for what a log could not
    hold."""

    score: float | None
    judge: str
    reason: str = ""
    probability: float | None = None
    progress: float | None = None
    votes: tuple[Vote, ...] = ()
    cost_usd: float = 0.0
    paid_usd: float = 0.0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)
    curve: Curve = ()

    def __post_init__(self) -> None:
        if self.score is None and not self.reason:
            raise ValueError("an unscored verdict needs a reason")
        for name, share in (
            ("score", self.score),
            ("probability", self.probability),
            ("progress", self.progress),
        ):
            if share is not None and not 0.0 <= share <= 1.0:  # false for NaN too
                raise ValueError(f"{name} must lie in [0, 1], not {share}")
            _become(self, name, None if share is None else float(share))
        for name, amount in (
            ("cost_usd", self.cost_usd),
            ("paid_usd", self.paid_usd),
            ("seconds", self.seconds),
        ):
            if not math.isfinite(amount):
                raise ValueError(f"{name} must be finite, not {amount}")
            _become(self, name, float(amount))
        json.dumps(dict(self.provenance), allow_nan=False)
        check_curve(self.curve)

    @property
    def unscored(self) -> bool:
        return self.score is None
