"""The rules of a world, one by one. A world that differs from ours promises less, and declares this
in its `Capabilities`: a rule that it does not promise is not checked. Axes legend: B batch, T time,
V views, h chunk length, H height, W width, A action numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from worldgym.testing.rules import SEEDS, check_form, check_spec, require
from worldgym.types import Actions, Frames
from worldgym.world.capabilities import WorldCard
from worldgym.world.world_answers import WorldFault, completed, robot_states
from worldgym.world.world_protocol import Completing, World
from worldgym.world.world_start import Conditioned, Proprioceptive, Start

# lengths of the chunks that a world is stepped by, which takes any; two in a row are one buffer's
CHUNKS = (1, 3, 3, 1)
INSTRUCTION = "open the drawer"


@dataclass(frozen=True)
class WorldRule:
    """check: raises AssertionError where the world breaks the rule; None where it does not promise
    it, for `reason`."""

    check: Callable[[], None] | None
    reason: str = ""


def check_world(world: World[Any], tolerance: int = 1) -> None:
    """Every rule of `world_rules` that the world promises."""
    for rule in world_rules(world, tolerance).values():
        if rule.check is not None:
            rule.check()


def world_rules(world: World[Any], tolerance: int = 1) -> Mapping[str, WorldRule]:
    """The rules by name. Frames of the promised shape; the same input gives the same result; a
    state may be stepped again after a detour; a batch equals its rows one by one; frames do not
    depend on later actions.

    tolerance: grey levels of 255 that a row in a batch may differ from the row alone, for float
    rounding. 0 = exact."""
    bench = cache(lambda: _Bench(world))
    can = world.capabilities
    seeded = "" if can.seeds != "none" else "it takes no seed"
    batched = seeded or ("" if can.most_rows != 1 else "it takes one row per call")
    free = "" if can.branching == "any" else "its newest state alone is valid"
    early = "" if can.causal else "it looks at all actions of a step"
    again = "" if can.rewind else "its state cannot be rebuilt"
    return {
        "its declaration is valid": WorldRule(lambda: card_is_sound(world)),
        "frames have the promised shape": WorldRule(lambda: bench().draws()),
        "the same input gives the same result": _promised(seeded, lambda: bench().repeats()),
        "there is no hidden state": _promised(free or seeded, lambda: bench().carries()),
        "a batch equals its rows one by one": _promised(
            batched, lambda: bench().rows_stand_alone(tolerance)
        ),
        "frames do not depend on later actions": _promised(
            seeded or early, lambda: bench().is_causal(tolerance)
        ),
        "it continues from frames and from its state alike": _promised(
            seeded or again, lambda: bench().rewinds()
        ),
    }


def card_is_sound(world: World[Any]) -> None:
    """AssertionError where it is not, or does not survive being written and read."""
    who = f"world {world.name!r}"
    check_spec(who, world.spec)
    try:
        card = WorldCard.of(world)
        again = WorldCard.from_json(card.to_json())
    except (ValueError, TypeError) as fault:
        raise AssertionError(f"{who}: {fault}") from fault
    require(card == again, who, "its card changes when it is written and read")


def later_actions(world: World[Any]) -> int | None:
    """By how many grey levels the first half of a step's frames differs when the actions of the
    other half do, the same seed both times; None where that cannot be told: no seed, or steps of
    one frame. 0 = causal."""
    bench = _Bench(world)
    if world.capabilities.seeds == "none" or bench.half == 0:
        return None
    return bench.gap_of_tails()


def timed_step(world: World[Any]) -> Callable[[], int]:
    """What steps a rollout of one row on by the world's own chunk each time, and says by how many
    actions."""
    bench = _Bench(world)
    row = slice(0, 1)
    actions = bench.chunks[0][row]
    states = [bench.begun(row)]

    size: int = actions.shape[1]

    def go_on() -> int:
        states[0], _ = world.step(states[0], actions)
        return size

    return go_on


def _promised(reason: str, check: Callable[[], None]) -> WorldRule:
    return WorldRule(None, reason) if reason else WorldRule(check)


@contextmanager
def _faults_as_complaints() -> Iterator[None]:
    try:
        yield
    except WorldFault as fault:
        raise AssertionError(str(fault)) from fault


class _Bench:
    """A world, and what it is asked."""

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

    def roll(self, rows: slice = slice(None), detour: bool = False) -> Frames:
        """[B, T, V, H, W, 3]: every frame of stepping through the chunks. With `detour`, each state
        is stepped elsewhere first."""
        given = self.starts.copy()
        state = self.begun(rows)
        parts = []
        kept = []
        for whole in self.chunks:
            actions = whole[rows]
            if detour:
                self.world.step(state, np.ascontiguousarray(actions[::-1]))
            state, frames = self._step(state, actions)
            parts.append(frames)
            kept.append(frames.copy())
        require(np.array_equal(given, self.starts), self.who, "the initial frames were changed")
        same = all(np.array_equal(part, copy) for part, copy in zip(parts, kept, strict=True))
        require(same, self.who, "a later step overwrote frames that an earlier one had returned")
        return np.concatenate(kept, axis=1)

    def _step(self, state: Any, actions: Actions) -> tuple[Any, Frames]:
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
        return after, frames

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
        require(
            np.array_equal(self.roll(), self.roll()),
            self.who,
            "the same initial frames, seeds and actions give other frames the second time",
        )

    def carries(self) -> None:
        require(
            np.array_equal(self.roll(), self.roll(detour=True)),
            self.who,
            "step changes the state it is given, or keeps a hidden one",
        )

    def rows_stand_alone(self, tolerance: int) -> None:
        frames = self.roll()
        for b in range(len(self.seeds)):
            gap = _gap(self.roll(slice(b, b + 1))[0], frames[b])
            require(
                gap <= tolerance,
                self.who,
                f"row {b} of a batch differs by {gap} grey levels from the same row alone",
            )

    def gap_of_tails(self) -> int:
        """Grey levels between the first frames of two steps that differ in their later actions."""
        tail = np.concatenate([self.long[:, : self.half], self.other[:, self.half :]], axis=1)
        frames = [self._step(self.begun(), actions)[1] for actions in (self.long, tail)]
        shown = self.half // self.can.stride
        return _gap(frames[0][:, :shown], frames[1][:, :shown])

    def is_causal(self, tolerance: int) -> None:
        if self.half == 0:
            return
        gap = self.gap_of_tails()
        require(
            gap <= tolerance,
            self.who,
            f"later actions of a step change its first frames by {gap} grey levels, so it is not "
            f"causal: say so in its capabilities",
        )

    def rewinds(self) -> None:
        """A rollout that is begun again from its own newest frames draws what it would have drawn.

        With the world's first seed, because its noise may depend on how far it has come: so of a
        world with noise this says how much of a frame is noise, and asks for half the range at
        most."""
        if self.can.history.frames > 1 or self.can.begins_with_more:
            return  # what it begins with is more than its frames; the evaluator keeps that
        first, second = self.chunks[0], self.chunks[-1]
        state, frames = self._step(self.begun(), first)
        gone_on = self._step(state, second)[1]
        again = self._step(self.world.reset(frames[:, -1], self.seeds), second)[1]
        mean = float(np.abs(gone_on.astype(int) - again.astype(int)).mean())
        require(
            mean <= 8.0,
            self.who,
            f"restarted from its last frame it continues differently, by {mean:.1f} grey levels on "
            f"average: it cannot rewind",
        )


def _gap(one: Frames, other: Frames) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())
