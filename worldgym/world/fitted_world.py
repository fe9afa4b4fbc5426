"""An adapter that makes a different world behave like ours: steps of any length, one frame per
action, a rollout that begins with one initial frame (docs/worlds.md). All of this is decided here:
a history is the initial frame repeated, as if the robot had stood still; a long step is made in
pieces; a frame that comes every k actions is shown until the next. A step that the world takes only
whole is filled up with actions of no motion, and the frames of these are dropped. The world then
stands after the fill, so it continues from a state that is rebuilt from the frames before, where it
may be (`Capabilities.rewind`); else that was the rollout's last step. Axes legend: B rows, V views,
h actions, k actions per frame, A action numbers, S numbers of the robot's state."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from worldgym.actions.no_motion import no_motion, standing_still, untold
from worldgym.actions.pose import given_by
from worldgym.errors import InputError, WorldGymError
from worldgym.types import Actions, ActionSpec, Frames, Task
from worldgym.world.capabilities import Capabilities, Chunk, History
from worldgym.world.world_answers import completed, robot_states, stepped
from worldgym.world.world_protocol import Completing, Given, World
from worldgym.world.world_start import Conditioned, RobotStates, Start


class SpentState(WorldGymError):
    """A step was filled up, and the world cannot continue from the middle of it."""


@dataclass(frozen=True)
class FittedState:
    """inner: the world's own; None where a step was filled up and cannot be rebuilt.

    start: of the rollout, for rebuilding.   frames, actions: the newest, as far as a history
    reaches back: uint8 [B, m + 1, V, H, W, 3], float32 [B, m, A].   steps: actions so far.   told:
    robot's states at the frames of the last step, float32 [B, h, S]."""

    inner: Any
    frames: Frames
    actions: Actions
    start: Start
    steps: int
    told: RobotStates


class FittedWorld:
    """Implements `World[FittedState]`, `Conditioned` and `Proprioceptive`."""

    def __init__(self, world: World[Any], hold: bool = False) -> None:
        """hold: whether a step that was filled up may be gone on from. InputError where the world
        cannot."""
        self._world = world
        self._own = world.capabilities
        self._hold = hold
        self.name = world.name
        self.spec = world.spec
        self.frame_shape = world.frame_shape
        self.views = world.views
        if hold and (reason := cannot_hold(world.name, self._own)):
            raise InputError(reason)

    @property
    def capabilities(self) -> Capabilities:
        """The world's own, without chunk, stride and history, which are handled here. The
        last step of a rollout may be shorter than its chunk says."""
        own = self._own
        chunk = Chunk() if self._hold else Chunk(own.chunk.least, None, own.chunk.multiple)
        return replace(own, chunk=chunk, stride=1, history=History(), rewind=False)

    def reset(self, frames: Frames, seeds: Sequence[int]) -> FittedState:
        """uint8 [B, V, H, W, 3]: of a world that needs no instruction and no state."""
        rows = len(frames)
        none = np.zeros((rows, 0), np.float32)
        actions = np.zeros((rows, 0, self.spec.size), np.float32)
        return self.begin(Start(frames[:, None], seeds, actions, ("",) * rows, none))

    def begin(
        self, start: Start, robots: Sequence[Mapping[str, float]] | None = None
    ) -> FittedState:
        """`start` of one initial frame per row. A history of the world's own repeats it.   robots:
        all that is known of each robot's state, by name; None = what `start` says."""
        history = self._own.history
        frames = np.repeat(start.frames[:, -1:], history.actions + 1, axis=1)
        if robots is None:
            robots = [
                dict(zip(self._own.state, map(float, row), strict=True)) for row in start.state
            ]
        still = [self._still(robot) for robot in robots]
        actions = np.stack([np.tile(one, (history.actions, 1)) for one in still])
        told = np.zeros((len(frames), 0, len(self._own.returns)), np.float32)
        start = replace(start, actions=actions.astype(np.float32))
        state = FittedState(None, frames, start.actions, start, 0, told)
        inner = self._begun(state, start.seeds)
        told = robot_states(self._world, inner, len(frames), 0)
        return replace(state, inner=inner, told=told)

    def step(self, state: FittedState, actions: Actions) -> tuple[FittedState, Frames]:
        """float32 [B, h, A] => (state, uint8 [B, h, V, H, W, 3]). SpentState after a step that was
        filled up and cannot be continued."""
        if state.inner is None:
            raise SpentState(
                f"the world {self.name} ran a step that was filled up, and cannot continue from "
                f"the middle of it; see --align"
            )
        chunk = self._own.chunk
        steps = actions.shape[1]
        whole = steps if chunk.pieces(steps) else chunk.covered(steps)
        drawn, told = [], []
        inner = state.inner
        last = state.frames[:, -1]
        at = 0
        for size in chunk.pieces(whole) or []:
            inner, frames = stepped(self._world, inner, actions[:, at : at + size])
            drawn.append(self._shown(last, frames, size).copy())  # before its next step
            told.append(self._spread(self._told(inner, frames), size))
            last = frames[:, -1]
            at += size
        if at < steps:
            rest = self._filled(inner, actions[:, at:], last)
            drawn.append(rest[0])
            told.append(rest[1])
            inner = None
        shown = np.concatenate(drawn, axis=1)
        after = self._after(state, inner, shown, actions, np.concatenate(told, axis=1))
        if inner is None and self._hold:
            after = replace(after, inner=self._begun(after, self._seeds(after)))
        return after, shown

    def whole(self, chunk: Actions, left: int, ends: Sequence[int]) -> Actions:
        """A policy's answer [B, h, A] as one step takes it: of no motion after the end of each row.

        left: actions until the last row ends.   ends: of each row. A row's input must not depend on
        where other rows end, because the world may use all actions of a step."""
        due = self.taken(chunk.shape[1], left)
        out = chunk[:, :due].copy()
        for row, end in zip(out, ends, strict=True):
            if 0 < end < due:
                row[end:] = no_motion(row[end - 1 : end], self.spec)
        return out

    def taken(self, size: int, left: int) -> int:
        """Actions of an answer of so many that a step takes, `left` before the last row ends."""
        own = self._own.chunk
        exact = own.least == own.most and own.pieces(size) is not None
        return min(own.padded(left), size) if exact else size

    def robot_states(self, state: FittedState) -> RobotStates:
        """float32 [B, h, S], of every action: as at the newest frame."""
        return state.told

    def _filled(self, inner: Any, actions: Actions, last: Frames) -> tuple[Frames, RobotStates]:
        """Frames and robot's states of a step that is filled up, those of the fill left out."""
        left = actions.shape[1]
        due = self._own.chunk.padded(left)
        fill = no_motion(actions[:, -1], self.spec)[:, None].repeat(due - left, axis=1)
        after, frames = stepped(self._world, inner, np.concatenate([actions, fill], axis=1))
        told = self._spread(self._told(after, frames), due)
        return self._shown(last, frames, due)[:, :left], told[:, :left]

    def _after(
        self, state: FittedState, inner: Any, shown: Frames, actions: Actions, told: RobotStates
    ) -> FittedState:
        kept = self._own.history.actions
        frames = np.concatenate([state.frames, shown], axis=1)[:, -kept - 1 :]
        acted = np.concatenate([state.actions, actions], axis=1)
        acted = acted[:, acted.shape[1] - kept :]
        return FittedState(inner, frames, acted, state.start, state.steps + actions.shape[1], told)

    def _begun(self, state: FittedState, seeds: Sequence[int]) -> Any:
        """The world's own state of rollouts that have come so far as their frames say."""
        history = self._own.history
        if isinstance(self._world, Conditioned):
            robot = state.start.state
            if state.steps and self._own.state:
                columns = [self._own.returns.index(name) for name in self._own.state]
                robot = state.told[:, -1, columns]
            frames = state.frames[:, :: history.spacing]
            return self._world.begin(
                replace(state.start, frames=frames, actions=state.actions, seeds=seeds, state=robot)
            )
        return self._world.reset(state.frames[:, -1], seeds)

    def _seeds(self, state: FittedState) -> list[int]:
        """Separate noise for each time that a rollout is begun again."""
        return [rebuilt_seed(seed, state.steps) for seed in state.start.seeds]

    def _shown(self, last: Frames, frames: Frames, actions: int) -> Frames:
        """One frame per action: each is shown until the next."""
        stride = self._own.stride
        if stride == 1:
            return frames
        before = np.concatenate([last[:, None], frames], axis=1)
        moments = (np.arange(actions) + 1) // stride
        shown: Frames = before[:, moments]
        return shown

    def _spread(self, told: RobotStates, actions: int) -> RobotStates:
        """The same of robot's states; before the first frame of a step they are those of it,
        because no policy is asked between two frames."""
        if not told.shape[1] or self._own.stride == 1:
            return told
        moments = np.maximum((np.arange(actions) + 1) // self._own.stride - 1, 0)
        spread: RobotStates = told[:, moments]
        return spread

    def _told(self, inner: Any, frames: Frames) -> RobotStates:
        return robot_states(self._world, inner, *frames.shape[:2])

    def _still(self, robot: Mapping[str, float]) -> Actions:
        if reason := no_still(self.name, self._own, self.spec, robot):
            raise InputError(f"{reason}, and it is not known")
        still = standing_still(self.spec, robot)
        return np.zeros(self.spec.size, np.float32) if still is None else still


class CompletingFittedWorld(FittedWorld):
    """One that draws initial views that a task does not bring."""

    def __init__(self, world: World[Any], completing: Completing, hold: bool = False) -> None:
        """completing: the world again, for what it can besides."""
        super().__init__(world, hold)
        self._completing = completing

    def complete(self, frames: Frames, given: Given, seeds: Sequence[int]) -> Frames:
        return completed(self._completing, self.name, frames, given, seeds)


def fit(world: World[Any], hold: bool = False) -> FittedWorld:
    """The world, adapted to behave like ours. InputError as of `FittedWorld`."""
    if isinstance(world, Completing):
        return CompletingFittedWorld(world, world, hold)
    return FittedWorld(world, hold)


def begun(world: World[Any], tasks: Sequence[Task], frames: Frames, seeds: Sequence[int]) -> Any:
    """The state of new rollouts from uint8 [B, V, H, W, 3], and what more a world begins with."""
    can = world.capabilities
    actions = np.zeros((len(tasks), 0, world.spec.size), np.float32)
    told = [given_by(task.state, can.state) for task in tasks]
    state = np.array(told, np.float32).reshape(len(tasks), len(can.state))
    instructions = tuple(task.instruction if can.begins_with_more else "" for task in tasks)
    start = Start(frames[:, None], seeds, actions, instructions, state)
    if isinstance(world, FittedWorld):
        return world.begin(start, [task.state for task in tasks])
    if can.begins_with_more and isinstance(world, Conditioned):
        return world.begin(start)
    return world.reset(frames, seeds)


def fits_already(can: Capabilities) -> bool:
    """Whether a world takes any chunk, draws one frame per action whatever follows, and begins with
    one frame."""
    plain = can.stride == can.history.frames == 1
    return can.causal and plain and can.chunk.free and can.chunk.most is None


def cannot_hold(name: str, can: Capabilities) -> str | None:
    """Why a step of a world cannot be executed in part, in words."""
    if not can.rewind:
        return (
            f"--align hold: the world {name} cannot continue from the middle of a step, because "
            f"its state cannot be rebuilt from frames"
        )
    if absent := [one for one in can.state if one not in can.returns]:
        return (
            f'--align hold: the world {name} begins with the robot\'s "{absent[0]}", and does not '
            f"predict it, so it cannot begin again in the middle of a rollout"
        )
    return None


def no_still(
    name: str, can: Capabilities, spec: ActionSpec, robot: Mapping[str, float]
) -> str | None:
    """What a world with a history must know of a robot and does not, in words."""
    absent = untold(spec, robot) if can.history.actions else None
    if absent is None:
        return None
    return (
        f"the world {name} begins with frames before the initial one and the actions between them, "
        f'which are targets, so the robot\'s "{absent}" is needed'
    )


def rebuilt_seed(seed: int, steps: int) -> int:
    """63 bits that follow from the trial's seed and the actions so far."""
    digest = hashlib.sha256(f"{seed}/{steps}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
