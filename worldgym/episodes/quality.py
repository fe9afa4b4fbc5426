"""Problems of an episode's picture, instruction or clock although its files can be read.

Everything here is a measurement against something else that the episode holds: the picture against
the arm's motion, the clock against the stated rate. An issue has a kind, so that it can be counted,
and a detail of this episode. Axes legend: N frames, A action numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worldgym.episodes.alignment import ABSOLUTE, picture_motion
from worldgym.episodes.lag_correlation import Numbers
from worldgym.episodes.recording import Recording
from worldgym.types import ActionSpec, Frames

# grey levels from frame to frame, mean of all pixels; recorded pictures of a still scene have 0.07
# and more
STILL = 0.1
# frames in a row that repeat the one before while the arm moves: the camera stands, or was slower
# than the log
STANDS = 5
REPEATS = 0.1  # share of the moves that show no other picture
MOVES = 0.25  # of the 95th percentile of an episode's motion; less may be no motion
BLACK = 4.0  # grey levels, mean of a frame
FROZEN = "the picture stands still while the arm moves"
REPEATED = "frames repeat the one before while the arm moves"
DARK = "frames are black"
DEPTH = "the frames show depth or segments, not a picture"
RATE = "the video's clock and the convention state different rates"
CHANGES = "the instruction changes within the episode"
REMEDIES = {
    RATE: "say the true one with --recorded-fps",
    CHANGES: "choose with --subtasks join, first, last or split",
}


@dataclass(frozen=True)
class QualityIssue:
    """kind: a sentence without names, that can be counted.   detail: of this episode, in a few
    words."""

    kind: str
    detail: str = ""


def with_remedy(kind: str) -> str:
    """The kind of an issue, and what is to be done where an option helps."""
    return f"{kind} ({REMEDIES[kind]})" if kind in REMEDIES else kind


def quality_issues(recording: Recording, spec: ActionSpec | None) -> list[QualityIssue]:
    """All that is found, the contradictions of the reader first."""
    return [*map(QualityIssue, recording.facts.contradictions), *_issues(recording, spec)]


def several_texts(recording: Recording) -> bool:
    """Whether the instruction changes within the episode, or is one of several subtasks'."""
    return len(set(recording.facts.texts) - {""}) > 1


def _issues(recording: Recording, spec: ActionSpec | None) -> Iterator[QualityIssue]:
    if recording.facts.depth:
        yield QualityIssue(DEPTH)
    yield from _picture(recording, spec)
    for name, frames in recording.others.items():
        if frames is not None:
            for issue in _picture(replace(recording, frames=frames), spec):
                yield QualityIssue(issue.kind, f"view {name}: {issue.detail}")
    yield from _rate(recording, spec)


def _picture(recording: Recording, spec: ActionSpec | None) -> Iterator[QualityIssue]:
    """Of the main view."""
    dark = _dark(recording.frames)
    if dark.any():
        yield QualityIssue(DARK, f"{dark.sum()} of {len(dark)}, from frame {dark.argmax()} on")
    yield from _still(recording, spec, dark)


def _dark(frames: Frames) -> npt.NDArray[np.bool_]:
    """[N]."""
    means = np.array([frame.mean() for frame in frames])
    return means < BLACK


def _still(
    recording: Recording, spec: ActionSpec | None, dark: npt.NDArray[np.bool_]
) -> Iterator[QualityIssue]:
    """Black frames are another issue."""
    motion = picture_motion(recording.frames)
    moves = arm_moves(recording, spec)
    held = (motion < STILL) & moves[: len(motion)] & ~dark[1:]
    if not moves.any() or not held.any():
        return
    first, length = _longest(held)
    if length >= STANDS:
        yield QualityIssue(
            FROZEN, f"{length} of {len(recording.frames)} frames, from frame {first} on"
        )
    elif held.sum() > max(2, REPEATS * moves.sum()):
        yield QualityIssue(REPEATED, f"{held.sum()} of {len(recording.frames)}")


def _rate(recording: Recording, spec: ActionSpec | None) -> Iterator[QualityIssue]:
    """Where neither the metadata nor the user says how fast it was recorded."""
    clock = clock_rate(recording)
    if (
        recording.fps is None
        and spec is not None
        and clock
        and abs(clock / spec.rate_hz - 1.0) > 0.02
    ):
        yield QualityIssue(RATE, f"{clock:.4g} and {spec.rate_hz:g} Hz")


def clock_rate(recording: Recording) -> float | None:
    """Frames per second by the clock of the video; None without one."""
    times = recording.facts.times
    usual = float(np.median(np.diff(times))) if times is not None and len(times) > 2 else 0.0
    return 1.0 / usual if usual > 0.0 else None


def arm_moves(recording: Recording, spec: ActionSpec | None) -> npt.NDArray[np.bool_]:
    """[N - 1]: whether the arm moves from frame t to t + 1, by its states, or where they never
    change by its actions."""
    steps = len(recording.frames) - 1
    if (
        recording.states is not None
        and (moved := _motion(np.diff(recording.states.astype(np.float64), axis=0))) is not None
    ):
        return moved
    actions = recording.actions.astype(np.float64)
    known = spec if spec is not None and spec.size == actions.shape[1] else None
    if known is not None:
        actions = actions[
            :, [i for i, name in enumerate(known.names) if not name.endswith("gripper")]
        ]
    if known is None or known.mode in ABSOLUTE:
        actions = np.diff(actions, axis=0, prepend=actions[:1])
    moved = _motion(actions[:steps])
    return moved if moved is not None else np.zeros(steps, np.bool_)


def _motion(steps: Numbers) -> npt.NDArray[np.bool_] | None:
    """[N - 1, A] => [N - 1]: which steps are large, each number in units of its own large ones;
    None where none changes."""
    if not steps.size:
        return None
    large = np.quantile(np.abs(steps), 0.95, axis=0)
    if not (large > 0.0).any():
        return None
    sizes = np.linalg.norm(steps[:, large > 0.0] / large[large > 0.0], axis=1)
    moved: npt.NDArray[np.bool_] = sizes > MOVES * np.quantile(sizes, 0.95)
    return moved


def _longest(held: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """=> (first frame that is repeated, how often) of the longest run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], held, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    longest = int((ends - starts).argmax())
    return int(starts[longest]), int((ends - starts)[longest])
