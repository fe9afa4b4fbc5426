"""A world on the bench: what the rules of `worldgym.testing.world_rules` ask it, and what they
compare. Axes legend: B batch, T time, V views, h chunk length, H height, W width, S numbers of the
robot's state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldgym.testing.rules import SEEDS, check_form, require
from worldgym.types import Actions, Frames
from worldgym.world.world_answers import WorldFault, completed, robot_states
from worldgym.world.world_protocol import Completing, World
from worldgym.world.world_start import Conditioned, Proprioceptive, RobotStates, Start

# lengths of the chunks that a world is stepped by, which takes any; two in a row are one buffer's
CHUNKS = (1, 3, 3, 1)
INSTRUCTION = "open the drawer"
SAME_STATE = 1e-3  # of a number's size, by which what is predicted of a row may differ in a batch


@dataclass(frozen=True)
class Answered:
    """frames: uint8 [B, T, V, H, W, 3].   told: float32 [B, T, S], what the world predicts of the
    robot; S = 0 where it predicts nothing."""

    frames: Frames
    told: RobotStates

    def equals(self, other: Answered) -> bool:
        return np.array_equal(self.frames, other.frames) and np.array_equal(self.told, other.told)

    def row(self, b: int) -> Answered:
        return Answered(self.frames[b : b + 1], self.told[b : b + 1])


@contextmanager
def _faults_as_complaints() -> Iterator[None]:
    try:
        yield
    except WorldFault as fault:
        raise AssertionError(str(fault)) from fault


class WorldBench:
    """A world, and what it is asked. Its checks raise AssertionError where the world breaks a
    rule."""

    def __init__(self, world: World[Any]) -> None:
        self.world = world
        self.who = f"world {world.name!r}"
        can = world.capabilities
        self.can = can
        self.seeds = SEEDS[: can.most_rows]
        rng = np.random.default_rng(0)
        shape = (len(self.seeds), can.history.frames, len(world.views), *world.frame_shape)
        self.starts = rng.integers(0, 256, shape, np.uint8)
        sizes = CHUNKS if can.chunk.free and can.chunk.most is None else (can.chunk.least,) * 2
        self.chunks = [self._actions(rng, size) for size in sizes]
        self.past = self._actions(rng, can.history.actions)
        self.robot = rng.uniform(-0.1, 0.1, (len(self.seeds), len(can.state))).astype(np.float32)
        long = can.chunk.most or max(can.chunk.least, 4)
        self.long = self._actions(rng, long)
        self.half = long // 2 - (long // 2) % can.stride
        self.other = self._actions(rng, long)

    def _actions(self, rng: np.random.Generator, size: int) -> Actions:
        spec = self.world.spec
        shape = (len(self.seeds), size, spec.size)
        return rng.uniform(spec.low, spec.high, shape).astype(np.float32)

    def begun(self, rows: slice = slice(None)) -> Any:
        """The state of a new rollout of some of the rows."""
        world = self.world
        frames = self.starts[rows]
        seeds = self.seeds[rows]
        if not self.can.begins_with_more:
            return self._known_start(world.reset(frames[:, -1], seeds), len(frames))
        require(isinstance(world, Conditioned), self.who, 'begins with more, and has no "begin"')
        assert isinstance(world, Conditioned)
        told = (INSTRUCTION,) * len(frames)
        start = Start(frames, seeds, self.past[rows], told, self.robot[rows])
        return self._known_start(world.begin(start), len(frames))

    def _known_start(self, state: Any, rows: int) -> Any:
        """The state, where what the world predicts of the robot in it is sound."""
        with _faults_as_complaints():
            robot_states(self.world, state, rows, 0)
        return state

    def roll(self, rows: slice = slice(None), detour: bool = False) -> Answered:
        """What stepping through the chunks draws and predicts. With `detour`, each state is stepped
        elsewhere first."""
        given = self.starts.copy()
        state = self.begun(rows)
        parts, kept, told = [], [], []
        for whole in self.chunks:
            actions = whole[rows]
            if detour:
                self.world.step(state, np.ascontiguousarray(actions[::-1]))
            state, answer = self._step(state, actions)
            parts.append(answer.frames)
            kept.append(answer.frames.copy())
            told.append(answer.told.copy())
        require(np.array_equal(given, self.starts), self.who, "the initial frames were changed")
        same = all(np.array_equal(part, copy) for part, copy in zip(parts, kept, strict=True))
        require(same, self.who, "a later step overwrote frames that an earlier one had returned")
        return Answered(np.concatenate(kept, axis=1), np.concatenate(told, axis=1))

    def _step(self, state: Any, actions: Actions) -> tuple[Any, Answered]:
        passed = actions.copy()
        answer = self.world.step(state, passed)
        pair = isinstance(answer, tuple) and len(answer) == 2
        require(pair, self.who, f"step returned a {type(answer).__name__}, not a state and frames")
        after, frames = answer
        rows, size = actions.shape[:2]
        drawn = (rows, size // self.can.stride, len(self.world.views), *self.world.frame_shape)
        check_form(self.who, "step", frames, drawn, np.dtype(np.uint8))
        require(np.array_equal(passed, actions), self.who, "step changed the actions it was given")
        if self.can.returns:
            require(
                isinstance(self.world, Proprioceptive),
                self.who,
                f'returns "{self.can.returns[0]}", and has no "robot_states"',
            )
            assert isinstance(self.world, Proprioceptive)
            told = self.world.robot_states(after)
            due = (*drawn[:2], len(self.can.returns))
            check_form(self.who, "robot_states", told, due, np.dtype(np.float32))
            require(bool(np.isfinite(told).all()), self.who, "predicts a state that is not finite")
            return after, Answered(frames, told)
        return after, Answered(frames, np.zeros((*drawn[:2], 0), np.float32))

    def draws(self) -> None:
        self.roll()
        # one with a single view is never asked to
        if len(self.world.views) > 1 and isinstance(self.world, Completing):
            self._completes(self.world)

    def _completes(self, completing: Completing) -> None:
        """The main view is given, the others are drawn."""
        frames = self.starts[:, -1]
        given = np.zeros(frames.shape[:2], np.bool_)
        given[:, 0] = True
        with _faults_as_complaints():
            completed(completing, self.world.name, frames, given, self.seeds)

    def repeats(self) -> None:
        first, second = self.roll(), self.roll()
        for what, same in (
            ("frames", np.array_equal(first.frames, second.frames)),
            ("states of the robot", np.array_equal(first.told, second.told)),
        ):
            require(
                same,
                self.who,
                f"the same initial frames, seeds and actions give other {what} the second time",
            )

    def carries(self) -> None:
        require(
            self.roll().equals(self.roll(detour=True)),
            self.who,
            "step changes the state it is given, or keeps a hidden one",
        )

    def rows_stand_alone(self, tolerance: int) -> None:
        whole = self.roll()
        for b in range(len(self.seeds)):
            alone, there = self.roll(slice(b, b + 1)), whole.row(b)
            gap = _gap(alone.frames, there.frames)
            require(
                gap <= tolerance,
                self.who,
                f"row {b} of a batch differs by {gap} grey levels from the same row alone",
            )
            self._check_told(alone, there, tolerance, f"of row {b} of a batch than of it alone")

    def gap_of_tails(self) -> int:
        """Grey levels between the first frames of two steps that differ in their later actions."""
        return _gap(*(answer.frames for answer in self._tails()))

    def _tails(self) -> list[Answered]:
        """The first halves of two steps whose second halves differ."""
        tail = np.concatenate([self.long[:, : self.half], self.other[:, self.half :]], axis=1)
        shown = self.half // self.can.stride
        answers = [self._step(self.begun(), actions)[1] for actions in (self.long, tail)]
        return [Answered(a.frames[:, :shown], a.told[:, :shown]) for a in answers]

    def is_causal(self, tolerance: int) -> None:
        if self.half == 0:
            return
        one, other = self._tails()
        gap = _gap(one.frames, other.frames)
        require(
            gap <= tolerance,
            self.who,
            f"later actions of a step change its first frames by {gap} grey levels, so it is not "
            f"causal: say so in its capabilities",
        )
        self._check_told(one, other, tolerance, "where later actions of its step differ")

    def _check_told(self, one: Answered, other: Answered, tolerance: int, where: str) -> None:
        """What is predicted of the robot is the same in both. tolerance: 0 = exactly."""
        share = SAME_STATE if tolerance else 0.0
        for i, name in enumerate(self.can.returns):
            mine, theirs = one.told[..., i], other.told[..., i]
            same = np.allclose(mine, theirs, rtol=share, atol=share)
            require(same, self.who, f'predicts another "{name}" {where}')

    def rewinds(self) -> None:
        """A rollout that is begun again from its own newest frames draws what it would have drawn.

        With the world's first seed, because its noise may depend on how far it has come: so of a
        world with noise this says how much of a frame is noise, and asks for half the range at
        most."""
        if self.can.history.frames > 1 or self.can.begins_with_more:
            return  # what it begins with is more than its frames; the evaluator keeps that
        first, second = self.chunks[0], self.chunks[-1]
        state, answer = self._step(self.begun(), first)
        gone_on = self._step(state, second)[1].frames
        start = self.world.reset(answer.frames[:, -1], self.seeds)
        again = self._step(start, second)[1].frames
        mean = float(np.abs(gone_on.astype(int) - again.astype(int)).mean())
        require(
            mean <= 8.0,
            self.who,
            f"restarted from its last frame it continues differently, by {mean:.1f} grey levels on "
            f"average: it cannot rewind",
        )


def _gap(one: Frames, other: Frames) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())
