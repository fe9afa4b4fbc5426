"""Trials that began together in a world: its state, and what it has drawn of each of them so far.

Axes legend: B trials, T time, V views, h actions of a step, A action numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from worldgym.actions.pose import given_by
from worldgym.io.timing import stage
from worldgym.policies.observations import check_told, observe
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.types import Actions, Frames, States, Trial
from worldgym.world.fitted_world import FittedWorld, begun
from worldgym.world.initial_views import initial_frames
from worldgym.world.world_answers import robot_states, stepped
from worldgym.world.world_protocol import World
from worldgym.world.world_start import RobotStates


class BatchRollout:
    """step: actions so far.   steps: those of the longest trial.   ends: steps of each, which may
    be lowered. One that ends earlier stays in the batch: its frames after the end are not used."""

    def __init__(self, world: World[Any], trials: Sequence[Trial]) -> None:
        self.trials = trials
        self.step = 0
        self.ends = [trial.task.steps for trial in trials]
        self.steps = max(self.ends)
        self._world = world
        rows = len(trials)
        shape = (rows, self.steps + 1, len(world.views), *world.frame_shape)
        self._video = np.empty(shape, np.uint8)
        self._moves = np.empty((rows, self.steps, world.spec.size), np.float32)
        seeds = [trial.seed for trial in trials]
        with stage("world"):
            tasks = [trial.task for trial in trials]
            starts = initial_frames(world, tasks, seeds)
            self._video[:, 0] = starts
            self._state = begun(world, tasks, starts, seeds)
            told = robot_states(world, self._state, rows, 0)
        returns = len(world.capabilities.returns)
        self._told = np.full((rows, self.steps + 1, returns), np.nan, np.float32)
        self._note(told, 0)

    @property
    def over(self) -> bool:
        return self.step >= max(self.ends)

    def frames(self, b: int) -> Frames:
        """uint8 [T+1, V, H, W, 3] of a trial, initial frame first, at most to its end."""
        return self._video[b, : self._taken(b) + 1]

    def moves(self, b: int) -> Actions:
        """float32 [T, A] of a trial."""
        return self._moves[b, : self._taken(b)]

    def observation(self, b: int, needs: Needs) -> Observation:
        """What a policy with these needs sees of a trial now. InputError where its initial state
        is neither predicted nor given by its task."""
        can = self._world.capabilities
        told = States(self._told[b], can.returns) if can.returns else None
        task = self.trials[b].task
        if told is not None:
            check_told(self._world.name, needs, task, told)
        return observe(
            needs,
            self._world.spec,
            task,
            self._video[b],
            self.moves(b),
            self._world.views,
            told,
        )

    def advance(self, chunk: Actions) -> None:
        """chunk: float32 [B, h, A]. The last step may be shorter than it."""
        chunk = self._whole(chunk)
        with stage("world"):
            self._state, new = stepped(self._world, self._state, chunk)
            told = robot_states(self._world, self._state, *new.shape[:2])
        end = min(self.step + chunk.shape[1], self.steps)
        kept = end - self.step
        self._moves[:, self.step : end] = chunk[:, :kept]
        self._video[:, self.step + 1 : end + 1] = new[:, :kept]
        self._note(told[:, :kept], self.step + 1)
        self.step = end

    def _taken(self, b: int) -> int:
        return min(self.step, self.ends[b])

    def _whole(self, chunk: Actions) -> Actions:
        left = self.steps - self.step
        if not isinstance(self._world, FittedWorld):
            return chunk[:, :left]
        ends = [max(trial.task.steps - self.step, 0) for trial in self.trials]
        return self._world.whole(chunk, left, ends)

    def _note(self, told: RobotStates, at: int) -> None:
        """Robot's states that the world predicts, from the frame `at` on; of the initial frame
        those of the task, where the world does not know it."""
        names = self._world.capabilities.returns
        if names and told.shape[1]:
            self._told[:, at : at + told.shape[1]] = told
        elif names:
            self._told[:, at] = [given_by(trial.task.state, names) for trial in self.trials]
