"""Which action moves which frame: measured, because published sets disagree and rarely say.

Lag k compares the move from frame t to t + 1 with recorded action t + k. In WorldGym's time lag 0 is the largest; a set that is
largest at k is read with `TimeRule(shift=k)`. Axes legend: N frames, A action numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from worldgym.actions.conventions import POSE
from worldgym.episodes.recording import Recording
from worldgym.types import ActionSpec, Frames

LAGS = (-2, -1, 0, 1, 2)
CLEAR = 0.1  # by how much another lag's correlation must exceed lag 0's before anyone is warned
MIN_PAIRS = 20  # fewer pairs give no correlation worth a sentence
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Alignment:
    """Pearson correlation at each lag, None where it is not defined; `pairs` moves went into lag 0.

    pixels: how much the picture changes against how large the action is.
    states: how the arm's pose changes against the action, mean over the pose numbers; None without states or delta poses.
    """

    pixels: dict[int, float | None]
    states: dict[int, float | None] | None
    pairs: int

    def warning(self) -> str:
        """One sentence if another lag than 0 explains the motion clearly better, else "". States speak before pixels."""
        measured = self.states or self.pixels
        known = {lag: value for lag, value in measured.items() if value is not None}
        if self.pairs < MIN_PAIRS or 0 not in known:
            return ""
        best = max(known, key=lambda lag: known[lag])
        if known[best] - known[0] <= CLEAR:
            return ""
        what = "the arm's motion" if self.states else "the picture's motion"
        return (
            f"{what} follows action t {best:+d} (correlation {known[best]:.2f}) rather than action t ({known[0]:.2f}): "
            f"look at a few episodes, and consider --shift {best} or, for commands that act late, --relabel"
        )


@dataclass
class AlignmentMeter:
    """Takes recordings one by one and keeps numbers only. `spec` tells gripper from pose; without one, or with one of another
    size than the actions, all numbers count as motion."""

    spec: ActionSpec | None
    moved: list[Numbers] = field(default_factory=list)  # [N - 1] an episode
    acted: list[Numbers] = field(default_factory=list)  # [N - 1 or N, A]
    travelled: list[Numbers] = field(default_factory=list)  # [N - 1, 6]

    def add(self, recording: Recording) -> None:
        self.moved.append(picture_motion(recording.frames))
        self.acted.append(recording.actions.astype(np.float64))
        if not recording.no_pose():
            rotation = self.spec.rotation if self.spec else "euler_xyz"
            self.travelled.append(recording.moves(rotation).astype(np.float64))

    def result(self) -> Alignment:
        if not self.acted:
            return Alignment(dict.fromkeys(LAGS), None, 0)
        width = self.acted[0].shape[1]
        spec = self.spec if self.spec is not None and self.spec.size == width else None
        moving = [i for i in range(width) if spec is None or spec.names[i] != "gripper"]
        spread = np.concatenate(self.acted).std(axis=0)
        spread[spread == 0.0] = 1.0
        sizes = [np.linalg.norm((actions / spread)[:, moving], axis=1) for actions in self.acted]
        pixels = {lag: _correlation(*_paired(self.moved, sizes, lag)) for lag in LAGS}
        return Alignment(pixels, self._states(spec), sum(len(moves) for moves in self.moved))

    def _states(self, spec: ActionSpec | None) -> dict[int, float | None] | None:
        delta = spec is not None and spec.mode == "delta_pose" and spec.names[: len(POSE)] == POSE
        if not delta or len(self.travelled) != len(self.acted):
            return None
        out: dict[int, float | None] = {}
        for lag in LAGS:
            moves, actions = _paired(self.travelled, self.acted, lag)
            each = [_correlation(moves[:, i], actions[:, i]) for i in range(len(POSE))]
            defined = [value for value in each if value is not None]
            out[lag] = float(np.mean(defined)) if defined else None
        return out


def picture_motion(frames: Frames) -> Numbers:
    """[N - 1]: mean absolute change of a pixel from frame to frame, in grey levels."""
    return np.array([np.abs(a.astype(np.int16) - b).mean() for a, b in zip(frames[1:], frames[:-1], strict=True)], np.float64)


def _paired(moves: Sequence[Numbers], actions: Sequence[Numbers], lag: int) -> tuple[Numbers, Numbers]:
    """Moves t and actions t + lag of all episodes, end to end, where both are there."""
    left, right = [], []
    for move, action in zip(moves, actions, strict=True):
        first, last = max(0, -lag), min(len(move), len(action) - lag)
        left.append(move[first : max(first, last)])
        right.append(action[first + lag : max(first, last) + lag])
    return np.concatenate(left), np.concatenate(right)


def _correlation(x: Numbers, y: Numbers) -> float | None:
    if len(x) < 3 or x.std() < 1e-12 or y.std() < 1e-12:
        return None
    return float(np.corrcoef(x, y)[0, 1])
