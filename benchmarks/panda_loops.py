"""Policies of the Panda in closed loop, in the simulator and in a world: once with the true initial
frame of the wrist, once with the one that the world draws from the main view.

    python benchmarks/panda_loops.py WORLD POLICY ... --judge JUDGE [--tasks lift stack] \
        [--seeds 10000 10020]

Needs robosuite (docs/panda.md). Prints successes a task and policy: in the simulator (its own
truth), by the judge on the simulator's videos, and by the judge in the world either way.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from worldgym.evaluation.rollout import roll_out
from worldgym.io.progress import progress
from worldgym.judges.classifier import ClassifierJudge
from worldgym.native.memory import keep_freed_memory
from worldgym.policies.load_policy import load_policy
from worldgym.policies.policy_protocol import Policy
from worldgym.reference.panda import PANDA_SPEC, PANDA_TASKS, PandaSimulator
from worldgym.reference.simulator_world import SimulatorJudge, SimulatorWorld
from worldgym.types import Rollout, Task, Trial, is_success
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_protocol import World

BATCH = 20


@dataclass(frozen=True)
class Loops:
    """Of one policy and task, one entry a seed: truth, the simulator's; judged_truth, the judge's
    of the same videos; given, drawn: the judge's in the world, with the true wrist frame and with
    the world's own."""

    task: str
    policy: str
    truth: list[bool]
    judged_truth: list[bool]
    given: list[bool]
    drawn: list[bool]

    @property
    def row(self) -> str:
        counts = (self.truth, self.judged_truth, self.given, self.drawn)
        return f"| {self.task} | {self.policy} | {' | '.join(str(sum(one)) for one in counts)} |"


def loops(
    world: World[Any],
    judge: ClassifierJudge,
    policies: Sequence[Policy[Any]],
    tasks: Sequence[str],
    seeds: range,
) -> Iterator[Loops]:
    for name in tasks:
        simulator = PandaSimulator(name, world.frame_shape[0])
        simulated = SimulatorWorld(simulator)
        starts = [simulated.task(seed, simulator.task.steps) for seed in seeds]
        for policy in policies:
            truth, happened = [], []
            for task in progress(starts, len(starts), f"{name}, {policy.name}", "seed"):
                (rollout,) = roll_out(simulated, policy, [Trial(task, 0, 0)])
                happened.append(rollout)
                truth.append(is_success(SimulatorJudge(simulated)(rollout, task).score or 0.0))
            given = roll_out_all(world, policy, starts)
            drawn = roll_out_all(world, policy, [replace(task, others={}) for task in starts])
            verdicts = [judged(judge, some) for some in (happened, given, drawn)]
            yield Loops(name, policy.name, truth, *verdicts)
        simulator.close()


def roll_out_all(world: World[Any], policy: Policy[Any], tasks: Sequence[Task]) -> list[Rollout]:
    return [
        rollout
        for start in range(0, len(tasks), BATCH)
        for rollout in roll_out(
            world, policy, [Trial(task, 0, 0) for task in tasks[start : start + BATCH]]
        )
    ]


def judged(judge: ClassifierJudge, rollouts: Sequence[Rollout]) -> list[bool]:
    verdicts = [judge(rollout, rollout.trial.task) for rollout in rollouts]
    return [is_success(verdict.score or 0.0) for verdict in verdicts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("policies", nargs="+")
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=list(PANDA_TASKS), choices=PANDA_TASKS)
    parser.add_argument("--seeds", type=int, nargs=2, default=(10_000, 10_020))
    asked = parser.parse_args()
    keep_freed_memory()
    world = load_diffusion_world(asked.world)
    judge = ClassifierJudge.load(asked.judge)
    policies = [load_policy(policy, PANDA_SPEC) for policy in asked.policies]
    print("| task | policy | simulator | judged there | world, wrist given | world, wrist drawn |")
    print("| --- " * 6 + "|")
    found = []
    for one in loops(world, judge, policies, asked.tasks, range(*asked.seeds)):
        found.append(one)
        print(one.row, flush=True)
    for policy in policies:
        own = [one for one in found if one.policy == policy.name]
        joined = [
            [success for one in own for success in getattr(one, kind)]
            for kind in ("truth", "judged_truth", "given", "drawn")
        ]
        print(Loops("all", policy.name, *joined).row)
        for kind in ("given", "drawn"):
            same = [
                world_says == true
                for one in own
                for world_says, true in zip(getattr(one, kind), one.truth, strict=True)
            ]
            print(f"  {policy.name}, wrist {kind}: verdict = truth in {sum(same)} of {len(same)}")


if __name__ == "__main__":
    main()
