"""Which action moves which frame: measured, because published sets disagree and rarely say.

Lag k compares the move from frame t to t + 1 with recorded action t + k. In WorldGym's time lag 0
is the largest; a set that is largest at k is read with `TimeRule(shift=k)`. A shift is advised only
where the motion follows the other action beyond chance, and clearly better than action t. An
absolute target moves the arm by what is left to it: it is compared as a[t + k] - s[t], the way from
the state at frame t, or without such states as its own change. Axes legend: N frames, A action
numbers, D compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from worldgym.actions.conventions import POSE
from worldgym.episodes.lag_correlation import (
    Numbers,
    Pairs,
    chance_of_gain,
    correlation,
    lag_p_value,
)
from worldgym.episodes.recording import Recording
from worldgym.episodes.states import plain_names
from worldgym.types import ActionSpec, Frames

LAGS = (-2, -1, 0, 1, 2)
CLEAR = 0.1  # by how much another lag's correlation must exceed lag 0's before anyone is warned
RELATED = (
    0.01  # probability of the largest correlation by chance, below which motion follows some action
)
BETTER = 0.05 / (len(LAGS) - 1)  # probability of the gain over lag 0 by chance, for each other lag
MIN_PAIRS = 20  # fewer pairs give no correlation worth a sentence
# standard deviations of the states; targets farther from them on average are in other units
FAR = 3.0
ABSOLUTE = ("absolute_pose", "joint_position")


@dataclass(frozen=True)
class Advice:
    """lag: of the action that the motion follows.   correlation: at that lag and at 0.   what:
    moves, "picture" or "arm".

    by_chance: probability of such a correlation where nothing is related; gain_by_chance: of such a
    gain over lag 0."""

    lag: int
    correlation: tuple[float, float]
    what: str
    by_chance: float
    gain_by_chance: float


@dataclass(frozen=True)
class Alignment:
    """Pearson correlation at each lag, None where it is not defined; `pairs` moves went into lag 0.

    pixels: how much the picture changes against how large the action is.
    states: how the recorded state changes against the action, mean over the numbers that both have;
    None without such states. advice: where another action than t explains the motion clearly
    better, beyond chance. States speak before pixels."""

    pixels: dict[int, float | None]
    states: dict[int, float | None] | None
    pairs: int
    advice: Advice | None = None

    def warning(self) -> str:
        """One sentence if a shift is advised, else ""."""
        if self.advice is None:
            return ""
        (best, none), lag = self.advice.correlation, self.advice.lag
        return (
            f"the {self.advice.what}'s motion follows action t {lag:+d} (correlation {best:.2f}) "
            f"rather than action t "
            f"({none:.2f}): inspect a few episodes, and consider --shift {lag} or, for commands "
            f"that act late, --relabel"
        )


@dataclass
class AlignmentMeter:
    """Takes recordings one by one and keeps numbers only. `spec` tells gripper from pose; without
    one, or with one of another size than the actions, all numbers count as motion."""

    spec: ActionSpec | None
    moved: list[Numbers] = field(default_factory=list)  # [N - 1] an episode
    acted: list[Numbers] = field(default_factory=list)  # [N - 1 or N, A]
    travelled: list[Numbers] = field(default_factory=list)  # [N - 1, D]
    stood: list[Numbers] = field(default_factory=list)  # [N, D], of absolute targets
    columns: tuple[int, ...] = ()  # the numbers of an action that the states have too

    def add(self, recording: Recording) -> None:
        self.moved.append(picture_motion(recording.frames))
        self.acted.append(recording.actions.astype(np.float64))
        spec = self._spec(recording.actions.shape[1])
        if spec is None:
            return
        if spec.mode == "delta_pose":
            if spec.names[: len(POSE)] == POSE and not recording.no_pose():
                self.columns = tuple(range(len(POSE)))
                self.travelled.append(recording.moves(spec.rotation).astype(np.float64))
            return
        shared = _shared(recording, spec)
        if shared and recording.states is not None:
            self.columns = tuple(shared)
            stood = recording.states[:, list(shared.values())].astype(np.float64)
            self.travelled.append(np.diff(stood, axis=0))
            self.stood.append(stood)

    def result(self) -> Alignment:
        if not self.acted:
            return Alignment(dict.fromkeys(LAGS), None, 0)
        spec = self._spec(self.acted[0].shape[1])
        absolute = spec is not None and spec.mode in ABSOLUTE
        pictures = self._pictures(spec, absolute)
        arms = self._arms(absolute)
        pixels = {lag: correlation(pairs) for lag, pairs in pictures.items()}
        states = {lag: correlation(pairs) for lag, pairs in arms.items()} if arms else None
        pairs = sum(len(moves) for moves in self.moved)
        speaks = (
            arms
            if arms and states and any(value is not None for value in states.values())
            else pictures
        )
        advice = (
            _advice(speaks, "arm" if speaks is arms else "picture") if pairs >= MIN_PAIRS else None
        )
        return Alignment(pixels, states, pairs, advice)

    def _spec(self, width: int) -> ActionSpec | None:
        return self.spec if self.spec is not None and self.spec.size == width else None

    def _states(self) -> bool:
        """Whether every episode has states to compare with."""
        return bool(self.travelled) and len(self.travelled) == len(self.acted)

    def _known_start(self) -> bool:
        """Whether targets and states are in the same units, so that their difference is the way
        that is left."""
        if not self._states() or len(self.stood) != len(self.acted):
            return False
        near = [
            np.abs(a[: len(s)][:, self.columns] - s[: len(a)])
            for a, s in zip(self.acted, self.stood, strict=True)
        ]
        spread = np.concatenate(self.stood).std(axis=0)
        return bool((np.median(np.concatenate(near), axis=0) <= FAR * spread + 1e-9).all())

    def _arms(self, absolute: bool) -> dict[int, list[Pairs]]:
        """{} where states cannot be compared with the actions."""
        if not self._states() or (absolute and not self._known_start()):
            return {}
        stood: Sequence[Numbers | None] = self.stood if absolute else [None] * len(self.acted)
        return {
            lag: [
                _paired(moves, actions[:, self.columns], lag, start)
                for moves, actions, start in zip(self.travelled, self.acted, stood, strict=True)
            ]
            for lag in LAGS
        }

    def _pictures(self, spec: ActionSpec | None, absolute: bool) -> dict[int, list[Pairs]]:
        """Motion of the picture with the size of the action, its numbers in units of their own
        spread."""
        columns = [
            i
            for i in range(self.acted[0].shape[1])
            if spec is None or not spec.names[i].endswith("gripper")
        ]
        acted = [actions[:, columns] for actions in self.acted]
        stood: Sequence[Numbers | None] = [None] * len(self.acted)
        if absolute and self._known_start():
            acted = [actions[:, self.columns] for actions in self.acted]
            stood = self.stood
        elif absolute:
            acted = [np.diff(actions, axis=0, prepend=actions[:1]) for actions in acted]
        vectors = {
            lag: [
                _paired(moves[:, None], a, lag, s)
                for moves, a, s in zip(self.moved, acted, stood, strict=True)
            ]
            for lag in LAGS
        }
        spread = np.concatenate([pairs.commands for pairs in vectors[0]]).std(axis=0)
        spread[spread == 0.0] = 1.0
        return {
            lag: [
                Pairs(p.moves, np.linalg.norm(p.commands / spread, axis=1, keepdims=True), p.first)
                for p in episodes
            ]
            for lag, episodes in vectors.items()
        }


def picture_motion(frames: Frames) -> Numbers:
    """[N - 1]: mean absolute change of a pixel from frame to frame, in grey levels."""
    return np.array(
        [
            np.abs(a.astype(np.int16) - b).mean()
            for a, b in zip(frames[1:], frames[:-1], strict=True)
        ],
        np.float64,
    )


def _advice(lags: Mapping[int, Sequence[Pairs]], what: str) -> Advice | None:
    known = {lag: value for lag, pairs in lags.items() if (value := correlation(pairs)) is not None}
    if not known:
        return None
    # of equal ones the nearest
    best = max(known, key=lambda lag: (round(known[lag], 9), -abs(lag)))
    # not defined: action t never differs from where the arm stands, so it moves nothing
    none = known.get(0, 0.0)
    if best == 0 or known[best] - none <= CLEAR:
        return None
    gain = chance_of_gain(lags[best], lags[0])
    if gain > BETTER or (by_chance := lag_p_value(lags)) > RELATED:
        return None
    return Advice(best, (known[best], none), what, by_chance, gain)


def _paired(moves: Numbers, actions: Numbers, lag: int, stood: Numbers | None) -> Pairs:
    """Moves t and actions t + lag where both are there; less the state at t where one is given."""
    first = max(0, -lag)
    last = max(first, min(len(moves), len(actions) - lag))
    commands = actions[first + lag : last + lag]
    return Pairs(
        moves[first:last], commands if stood is None else commands - stood[first:last], first
    )


def _shared(recording: Recording, spec: ActionSpec) -> dict[int, int]:
    """Number of an action => number of the state that it commands, grippers left out; {} where that
    is not known."""
    if recording.states is None:
        return {}
    names = plain_names(recording.facts.state_names)
    width = recording.states.shape[1]
    moving = {name: i for i, name in enumerate(spec.names) if not name.endswith("gripper")}
    if spec.mode == "absolute_pose":
        names = names if names else () if recording.no_pose() else POSE
        moving = {
            name: i for name, i in moving.items() if name in POSE[:3]
        }  # angles jump at a turn
    elif not names:
        names = spec.names if width == spec.size else ()
    return {i: names.index(name) for name, i in moving.items() if name in names}
