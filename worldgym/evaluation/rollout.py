"""The loop of the method, on one screen: policy and world model in closed loop (arXiv 2506.00613,
algorithm of section 3).

rho(pi) = E[ R([o_0 .. o_H], g) | a ~ pi(o, g), o' ~ T(o, a) ]
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from worldgym.actions.embodiment import motionless
from worldgym.evaluation.batch_rollout import BatchRollout
from worldgym.evaluation.early_stop import LOOK, STOPPED, EarlyStop
from worldgym.io.timing import stage
from worldgym.io.waiting import awaited
from worldgym.policies.observations import substitutes
from worldgym.policies.own.action_bounds import OUT_OF_BOUNDS, acted
from worldgym.policies.policy_protocol import Policy
from worldgym.types import MOTIONLESS, Actions, Rollout, Trial
from worldgym.world.initial_views import generated_views
from worldgym.world.world_protocol import World


def roll_out(
    world: World[Any], policy: Policy[Any], trials: Sequence[Trial], stop: EarlyStop | None = None
) -> list[Rollout]:
    """Rolls a batch of trials out to their ends. A whole chunk is executed before the policy looks
    again.

    Row b of everything depends on trial b alone. Trials that end early stay in the batch until the
    longest ends; their frames after the end are dropped. While a policy that computes elsewhere is
    asked about one half of the batch, the world draws the other. Actions outside the policy's
    bounds are clipped, and the trial is flagged; see `worldgym.policies.own.action_bounds` for
    PolicyFault. stop: ends trials before their last step; None = never.
    """
    started = time.perf_counter()
    halves = policy.needs.elsewhere and world.capabilities.branching == "any"
    cut = (len(trials) + 1) // 2 if halves else len(trials)
    parts = [_Part(world, policy, part, stop) for part in (trials[:cut], trials[cut:]) if part]
    if len(parts) == 1:
        while not parts[0].over:
            with stage("policy"):
                chunk = parts[0].ask()
            parts[0].advance(chunk)
    else:
        _in_turn(parts)
    seconds = (time.perf_counter() - started) / len(trials)
    return [rollout for part in parts for rollout in part.rollouts(seconds)]


def _in_turn(parts: Sequence[_Part]) -> None:
    """The next request is sent while the world draws the last answer."""
    with ThreadPoolExecutor(1, "policy") as elsewhere:
        asked = deque((part, elsewhere.submit(part.ask)) for part in parts)
        try:
            while asked:
                part, answer = asked.popleft()
                with stage("policy"):  # what is waited for
                    chunk = awaited(answer)
                part.advance(chunk)
                if not part.over:
                    asked.append((part, elsewhere.submit(part.ask)))
        finally:
            elsewhere.shutdown(wait=True, cancel_futures=True)


class _Part:
    """Trials that are rolled out side by side, and what their policy remembers of them."""

    def __init__(
        self,
        world: World[Any],
        policy: Policy[Any],
        trials: Sequence[Trial],
        stop: EarlyStop | None = None,
    ) -> None:
        self._stop = stop
        self._looked = 0
        self._world = world
        self._policy = policy
        self._batch = BatchRollout(world, trials)
        self._outside = np.zeros((len(trials), self._batch.steps), np.bool_)
        self._memory = policy.reset(trials)

    @property
    def over(self) -> bool:
        return self._batch.over

    def ask(self) -> Actions:
        """The next chunk. For a trial that has ended, one that has not is asked about
        twice."""
        step = self._batch.step
        policy = self._policy
        goes_on = [step < end for end in self._batch.ends]
        rows = [b if on else goes_on.index(True) for b, on in enumerate(goes_on)]
        after, held, outside = acted(
            policy,
            [self._memory[b] for b in rows],
            [self._batch.observation(b, policy.needs) for b in rows],
        )
        self._memory = [
            new if on else old for new, old, on in zip(after, self._memory, goes_on, strict=True)
        ]
        self._outside[:, step : step + policy.chunk] = outside[:, : self._batch.steps - step]
        return held

    def advance(self, chunk: Actions) -> None:
        self._batch.advance(chunk)
        if self._stop is not None and self._batch.step >= self._looked + LOOK:
            self._looked = self._batch.step
            self._look(self._stop)

    def _look(self, stop: EarlyStop) -> None:
        """Trials whose success is certain end here."""
        step = self._batch.step
        going = [b for b, end in enumerate(self._batch.ends) if step < end]
        with stage("looks"):
            sure = stop.certain([self._rollout(b) for b in going])
        for b, certain in zip(going, sure, strict=True):
            self._batch.ends[b] = step if certain else self._batch.ends[b]

    def _rollout(self, b: int) -> Rollout:
        frames, moves = self._batch.frames(b), self._batch.moves(b)
        views = self._world.views
        return Rollout(self._batch.trials[b], self._policy.name, frames, moves, views=views)

    def rollouts(self, seconds: float) -> Iterator[Rollout]:
        views = self._world.views
        told = self._world.capabilities.returns
        for b, trial in enumerate(self._batch.trials):
            rollout = self._rollout(b)
            moves = rollout.actions
            flags = substitutes(self._policy.needs, trial.task, views, told)
            flags = (*flags, *generated_views(views, trial.task))
            flags = (*flags, STOPPED) if len(moves) < trial.task.steps else flags
            clipped = int(self._outside[b, : len(moves)].sum())
            flags = (*flags, OUT_OF_BOUNDS) if clipped else flags
            flags = (*flags, MOTIONLESS) if motionless(moves, self._policy.spec) else flags
            yield replace(rollout, seconds=seconds, flags=flags, clipped=clipped)
