"""The true outcome of control arms: actions of rollouts in a learned world executed in the
simulator from the same start states, and policies in closed loop with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from worldgym.errors import InputError
from worldgym.evaluation.executor import Executor, LocalExecutor, each_result
from worldgym.evaluation.process_workers import ProcessExecutor
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


def simulated_successes(rollouts: Sequence[Rollout], executor: Executor) -> list[bool]:
    """Whether each rollout's actions do its task, from the start state that its task's name tells.
    InputError for the name of another task."""
    starts = [start_of(rollout.trial.task) for rollout in rollouts]
    order = sorted(range(len(rollouts)), key=lambda i: starts[i][0])  # a worker builds few scenes
    jobs = [(*starts[i], rollouts[i].actions) for i in order]
    found = dict[int, bool]()
    results = each_result(executor, _replayer, jobs)
    for number, success in progress(results, len(jobs), "truth", "rollout"):
        found[order[number]] = success
    return [found[i] for i in range(len(rollouts))]


def _replayer() -> Callable[[tuple[str, int, Actions]], bool]:
    return _succeeds


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


def simulated(executor: Executor) -> Truth:
    """What the simulator tells. Actions are carried out by these workers, or in processes of this
    machine instead of this one alone."""
    if isinstance(executor, LocalExecutor):
        executor = ProcessExecutor()
    return Truth(partial(simulated_successes, executor=executor), policies_in_simulator)
