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
from worldgym.evaluation.played_trials import PlayedTrials
from worldgym.io.timing import stage
from worldgym.policies.observations import substitutes
from worldgym.policies.own.action_bounds import OUT_OF_BOUNDS, commanded
from worldgym.policies.policy_protocol import Policy
from worldgym.types import MOTIONLESS, Actions, Rollout, Trial
from worldgym.world.initial_views import generated_views
from worldgym.world.world_protocol import World


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
    """Trials that are played side by side, and what their policy remembers of them."""

    def __init__(self, world: World[Any], policy: Policy[Any], trials: Sequence[Trial]) -> None:
        self._world = world
        self._policy = policy
        self._played = PlayedTrials(world, trials)
        self._outside = np.zeros((len(trials), self._played.steps), np.bool_)
        self._memory = policy.reset(trials)

    @property
    def over(self) -> bool:
        return self._played.step == self._played.steps

    def ask(self) -> Actions:
        """The next chunk. In place of a trial that has ended, one that has not is asked about
        twice."""
        step = self._played.step
        policy = self._policy
        goes_on = [step < trial.task.steps for trial in self._played.trials]
        rows = [b if on else goes_on.index(True) for b, on in enumerate(goes_on)]
        after, chunk = policy.act(
            [self._memory[b] for b in rows],
            [self._played.observation(b, policy.needs) for b in rows],
        )
        self._memory = [
            new if on else old for new, old, on in zip(after, self._memory, goes_on, strict=True)
        ]
        due = (len(rows), policy.chunk, policy.spec.size)
        held, outside = commanded(chunk, due, policy.spec, f"policy {policy.name}")
        self._outside[:, step : step + policy.chunk] = outside[:, : self._played.steps - step]
        return held

    def play(self, chunk: Actions) -> None:
        self._played.play(chunk)

    def rollouts(self, seconds: float) -> Iterator[Rollout]:
        views = self._world.views
        told = self._world.capabilities.returns
        for b, trial in enumerate(self._played.trials):
            moves = self._played.moves(b)
            flags = substitutes(self._policy.needs, trial.task, views, told)
            flags = (*flags, *generated_views(views, trial.task))
            clipped = int(self._outside[b, : trial.task.steps].sum())
            flags = (*flags, OUT_OF_BOUNDS) if clipped else flags
            flags = (*flags, MOTIONLESS) if motionless(moves, self._policy.spec) else flags
            yield Rollout(
                trial,
                self._policy.name,
                self._played.frames(b),
                moves,
                seconds,
                flags,
                clipped=clipped,
                views=views,
            )
