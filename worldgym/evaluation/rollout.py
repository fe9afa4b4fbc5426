"""The loop of the method, on one screen: policy and world model in closed loop (arXiv 2506.00613,
algorithm of section 3).

rho(pi) = E[ R([o_0 .. o_H], g) | a ~ pi(o, g), o' ~ T(o, a) ]
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from worldgym.actions.embodiment import motionless
from worldgym.io.timing import stage
from worldgym.policies.observations import observe, substitutes
from worldgym.policies.own.action_bounds import OUT_OF_BOUNDS, commanded
from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.types import MOTIONLESS, Actions, Rollout, States, Trial
from worldgym.world.fitted_world import FittedWorld, begun, robot_states
from worldgym.world.initial_views import generated_views, initial_frames
from worldgym.world.world_protocol import World
from worldgym.world.world_start import RobotStates


def roll_out(world: World[Any], policy: Policy[Any], trials: Sequence[Trial]) -> list[Rollout]:
    """Plays a batch of trials to their ends. A whole chunk is executed before the policy looks
    again.

    Row b of everything depends on trial b alone. Trials that end early ride along with the longest;
    what is drawn of them past their end is dropped. While a policy that computes elsewhere is asked
    about one half of the batch, the world draws the other. Actions outside the policy's bounds are
    clipped, and the trial is flagged; see `worldgym.policies.own.action_bounds` for PolicyFault.
    """
    started = time.perf_counter()
    halves = policy.needs.elsewhere and world.capabilities.branching == "any"
    cut = (len(trials) + 1) // 2 if halves else len(trials)
    parts = [_Part(world, policy, part) for part in (trials[:cut], trials[cut:]) if part]
    if len(parts) == 1:
        while not parts[0].over:
            with stage("policy"):
                chunk = parts[0].ask()
            parts[0].play(chunk)
    else:
        _in_turn(parts)
    seconds = (time.perf_counter() - started) / len(trials)
    return [rollout for part in parts for rollout in part.rollouts(seconds)]


def _in_turn(parts: Sequence[_Part]) -> None:
    """The next question is on its way while the world plays the last answer."""
    with ThreadPoolExecutor(1, "policy") as elsewhere:
        asked = deque((part, elsewhere.submit(part.ask)) for part in parts)
        try:
            while asked:
                part, answer = asked.popleft()
                with stage("policy"):  # what is waited for
                    chunk = answer.result()
                part.play(chunk)
                if not part.over:
                    asked.append((part, elsewhere.submit(part.ask)))
        finally:
            elsewhere.shutdown(wait=True, cancel_futures=True)


class _Part:
    """Trials that are played side by side."""

    def __init__(self, world: World[Any], policy: Policy[Any], trials: Sequence[Trial]) -> None:
        self._world = world
        self._policy = policy
        self._trials = trials
        self._step = 0
        rows = len(trials)
        steps = max(trial.task.steps for trial in trials)
        shape = (rows, steps + 1, len(world.views), *world.frame_shape)
        self._video = np.empty(shape, np.uint8)
        self._moves = np.empty((rows, steps, policy.spec.size), np.float32)
        self._outside = np.zeros((rows, steps), np.bool_)
        seeds = [trial.seed for trial in trials]
        with stage("world"):
            tasks = [trial.task for trial in trials]
            starts = initial_frames(world, tasks, seeds)
            self._state = begun(world, tasks, starts, seeds)
        self._video[:, 0] = starts
        self._told = np.full((rows, steps + 1, len(world.capabilities.returns)), np.nan, np.float32)
        self._note(robot_states(world, self._state), 0)
        self._memory = policy.reset(trials)

    @property
    def over(self) -> bool:
        return self._step == self._moves.shape[1]

    def ask(self) -> Actions:
        """The next chunk. In place of a trial that has ended, one that has not is asked about
        twice."""
        step = self._step
        policy = self._policy
        left = self._moves.shape[1] - step
        goes_on = [step < trial.task.steps for trial in self._trials]
        rows = [b if on else goes_on.index(True) for b, on in enumerate(goes_on)]
        after, chunk = policy.act(
            [self._memory[b] for b in rows], [self._observation(b) for b in rows]
        )
        self._memory = [
            new if on else old for new, old, on in zip(after, self._memory, goes_on, strict=True)
        ]
        due = (len(rows), policy.chunk, policy.spec.size)
        held, outside = commanded(chunk, due, policy.spec, f"policy {policy.name}")
        self._outside[:, step : step + policy.chunk] = outside[:, :left]
        if not isinstance(self._world, FittedWorld):
            return held[:, :left]
        ends = [max(trial.task.steps - step, 0) for trial in self._trials]
        return self._world.whole(held, left, ends)

    def _observation(self, b: int) -> Observation:
        policy = self._policy
        task = self._trials[b].task
        moves = self._moves[b, : self._step]
        can = self._world.capabilities
        told = States(self._told[b], can.returns) if can.returns else None
        return observe(
            policy.needs, policy.spec, task, self._video[b], moves, self._world.views, told
        )

    def play(self, chunk: Actions) -> None:
        with stage("world"):
            self._state, new = self._world.step(self._state, chunk)
        end = min(self._step + chunk.shape[1], self._moves.shape[1])
        kept = end - self._step
        self._moves[:, self._step : end] = chunk[:, :kept]
        self._video[:, self._step + 1 : end + 1] = new[:, :kept]
        self._note(robot_states(self._world, self._state)[:, :kept], self._step + 1)
        self._step = end

    def _note(self, told: RobotStates, at: int) -> None:
        """Robot's states that the world predicts, from the frame `at` on; of the initial frame
        those of the task, where the world does not know it."""
        names = self._world.capabilities.returns
        if names and told.shape[1]:
            self._told[:, at : at + told.shape[1]] = told
        elif names:
            states = [trial.task.state for trial in self._trials]
            self._told[:, at] = [[s.get(name, np.nan) for name in names] for s in states]

    def rollouts(self, seconds: float) -> Iterator[Rollout]:
        for trial, video, moves, outside in zip(
            self._trials, self._video, self._moves, self._outside, strict=True
        ):
            steps = trial.task.steps
            told = self._world.capabilities.returns
            flags = substitutes(self._policy.needs, trial.task, self._world.views, told)
            flags = (*flags, *generated_views(self._world.views, trial.task))
            clipped = int(outside[:steps].sum())
            flags = (*flags, OUT_OF_BOUNDS) if clipped else flags
            flags = (*flags, MOTIONLESS) if motionless(moves[:steps], self._policy.spec) else flags
            yield Rollout(
                trial,
                self._policy.name,
                video[: steps + 1],
                moves[:steps],
                seconds,
                flags,
                clipped=clipped,
                views=self._world.views,
            )
