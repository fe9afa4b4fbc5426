"""What control arms truly do: the actions of rollouts in a learned world carried out in the
simulator from the same start states, and policies in closed loop with it."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from worldgym.errors import InputError
from worldgym.evaluation.rollout import roll_out
from worldgym.io.progress import progress
from worldgym.policies.policy_protocol import Policy
from worldgym.reference.reference_tasks import TASKS
from worldgym.reference.simulator import Simulator
from worldgym.reference.simulator_world import SimulatorJudge, SimulatorWorld
from worldgym.trust.controls import Truth
from worldgym.types import Actions, Rollout, Task, Trial

# "drawer-open/10003" of a task folder, "drawer-open-00103" of a recorded episode
NAME = re.compile(r"(?P<task>[a-z-]+)[/-](?P<seed>\d+)\b.*")


def simulated_successes(rollouts: Sequence[Rollout], workers: int = 0) -> list[bool]:
    """Whether each rollout's actions do its task, from the start state that its task's name tells.
    workers: processes; 0 = one a core. InputError for the name of another task."""
    jobs = [(*start_of(rollout.trial.task), rollout.actions) for rollout in rollouts]
    order = sorted(range(len(jobs)), key=lambda i: jobs[i][0])  # a process builds few scenes
    count = min(workers or multiprocessing.cpu_count(), max(len(jobs), 1))
    found = dict[int, bool]()
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        results = pool.imap(_succeeds, [jobs[i] for i in order], chunksize=8)
        for i, success in zip(order, progress(results, len(jobs), "truth", "rollout"), strict=True):
            found[i] = success
    return [found[i] for i in range(len(jobs))]


def policies_in_simulator(
    policies: Sequence[Policy[Any]], tasks: Sequence[Task]
) -> dict[tuple[str, str], bool]:
    """{(policy, task): success} in closed loop with the simulator, one after the other in this
    process. InputError for a task that is not the simulator's."""
    found = {}
    starts = sorted((*start_of(task), task) for task in tasks)
    for name, seed, task in progress(starts, len(starts), "truth of closed loops", "start"):
        for policy in policies:
            world = SimulatorWorld(_simulator(name), brief=True, sparse=policy.needs.history == 1)
            trial = Trial(world.task(seed, task.steps), 0, 0)
            (rollout,) = roll_out(world, policy, [trial])
            found[policy.name, task.name] = bool(SimulatorJudge(world)(rollout, trial.task).score)
    return found


def start_of(task: Task) -> tuple[str, int]:
    """(task, seed) of its start state."""
    fits = NAME.fullmatch(task.name)
    if fits is None or fits["task"] not in TASKS:
        raise InputError(
            f'the simulator has no start state "{task.name}": its names are TASK/SEED, with the '
            f"tasks {', '.join(TASKS)}"
        )
    return fits["task"], int(fits["seed"])


def _succeeds(job: tuple[str, int, Actions]) -> bool:
    task, seed, actions = job
    simulator = _simulator(task)
    simulator.reset(seed)
    return any(simulator.step(action, draw=False).success for action in actions)


@lru_cache(maxsize=2)
def _simulator(task: str) -> Simulator:
    return Simulator(task)


SIMULATED = Truth(simulated_successes, policies_in_simulator)
