"""(m) Is the world wrong, or does the policy act otherwise in it? Loops of world and simulator,
crossed.

Development policies, 5 start states per task. The actions of each loop in the world are replayed in
the simulator, those of each loop in the simulator in the world. Where the world answers
rightly to both and the loops still end otherwise, the policy saw something in the world's frames
that made it act otherwise. Two idle cores: 9 minutes, 5 of them beside the run of (h)."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from statistics import mean
from typing import Any

import torch

from experiments.chart import Chart
from experiments.frame import Finding, Setup, lines, main, on, scope, scored
from worldgym.evaluation.rollout import roll_out
from worldgym.io.progress import progress
from worldgym.judges.judging import scores
from worldgym.judges.load_judge import load_judge
from worldgym.policies.load_policy import load_policy
from worldgym.reference.reference_tasks import METAWORLD_SPEC
from worldgym.reference.scoring import ScoredRun
from worldgym.reference.simulator import Simulator
from worldgym.reference.simulator_world import SimulatorWorld
from worldgym.trust.fit_error_predictor import rollouts_of
from worldgym.trust.rollout_replay import ReplayOptions, replay_rollouts
from worldgym.types import Actions, Rollout, Trial
from worldgym.world.row_threads import on_all_cores
from worldgym.world.world_checkpoint import load_diffusion_world

SEEDS = 5
ENDS = {
    "world": "world",
    "world_in_simulator": "the world's actions in truth",
    "simulator_in_world": "true actions in the world",
    "simulator": "truth",
}


@dataclass(frozen=True)
class Loops:
    """How one trial ended, in four ways: see ENDS."""

    task: str
    world: bool
    world_in_simulator: bool
    simulator_in_world: bool
    simulator: bool


def measure(setup: Setup) -> Finding:
    """Success of loops in the world and in the simulator, and of each one's actions in the
    other."""
    what = scope(setup, "development", SEEDS)
    run = scored(setup, what)
    return finding(crossed(setup, run, what.policies), on(what, setup.instrument))


def crossed(setup: Setup, run: ScoredRun, policies: Sequence[str]) -> list[Loops]:
    """Every judged trial of the run, its actions replayed in the simulator, and the
    simulator's loop in the world."""
    rollouts, records, chunks = rollouts_of(run.folder)
    sources = {load_policy(source, METAWORLD_SPEC).name: source for source in policies}

    def cell(i: int) -> tuple[str, str]:
        return rollouts[i].trial.task.group, rollouts[i].policy

    cells = [
        (key, list(rows)) for key, rows in groupby(sorted(range(len(rollouts)), key=cell), key=cell)
    ]
    jobs = [
        (task, sources[policy], [(_seed(rollouts[i]), rollouts[i].actions) for i in rows])
        for (task, policy), rows in cells
    ]
    ends = dict[int, tuple[bool, bool, Actions]]()  # of `_simulated`
    with multiprocessing.get_context("spawn").Pool(
        setup.workers or multiprocessing.cpu_count(), torch.set_num_threads, (1,)
    ) as pool:
        answers = progress(pool.imap(_simulated, jobs), len(jobs), "simulating", "cell")
        for (_, rows), found in zip(cells, answers, strict=True):
            ends |= zip(rows, found, strict=True)
    world = on_all_cores(load_diffusion_world(setup.world))
    judge = load_judge(setup.judge)
    replayed = replay_rollouts(
        world,
        [replace(rollout, actions=ends[i][2]) for i, rollout in enumerate(rollouts)],
        ReplayOptions(chunks=chunks),
    )
    return [
        Loops(record.group, bool(record.succeeded), ends[i][0], (score or 0.0) > 0.5, ends[i][1])
        for i, (record, score) in enumerate(zip(records, scores(judge, replayed), strict=True))
    ]


def _seed(rollout: Rollout) -> int:
    """Start states are named TASK/SEED."""
    return int(rollout.trial.task.name.rpartition("/")[2])


def _simulated(
    job: tuple[str, str, Sequence[tuple[int, Actions]]],
) -> list[tuple[bool, bool, Actions]]:
    """(task, policy, starts) => for each seed: the given actions succeed, the policy's own loop
    does, its actions."""
    task, source, starts = job
    simulator = Simulator(task)
    policy = load_policy(source, METAWORLD_SPEC)
    found = []
    for seed, actions in starts:
        simulator.reset(seed)
        of_world = any([simulator.step(action, draw=False).success for action in actions])
        world = SimulatorWorld(simulator)
        trial = Trial(world.task(seed, len(actions)), 0, 0)
        (rollout,) = roll_out(world, policy, [trial])
        found.append((of_world, world.first_success(rollout) is not None, rollout.actions))
    simulator.close()
    return found


def finding(loops: Sequence[Loops], measured_on: str) -> Finding:
    rows = [
        _row(task, [loop for loop in loops if loop.task == task])
        for task in sorted({loop.task for loop in loops})
    ]
    of_all = _row("all", loops)
    told = "; ".join(f"{name} {100 * of_all[key]:.0f} %" for key, name in ENDS.items())
    result = (
        f"success, {told}; the world errs on {100 * of_all['wrong_own']:.0f} % of its own loops "
        f"and on "
        f"{100 * of_all['wrong_simulator']:.0f} % of the simulator's, and "
        f"{100 * of_all['otherwise']:.0f} % truly end otherwise"
    )
    chart = Chart(
        "task",
        "success",
        lines(rows, ENDS, joined=False, named="task"),
        tuple(str(row["task"]) for row in rows),
    )
    question = "Is the world wrong, or does the policy act otherwise in it?"
    return Finding("m_loops", question, result, measured_on, rows, chart)


def _row(task: str, loops: Sequence[Loops]) -> dict[str, Any]:
    """Rates of the four ends, and shares of trials where two of them differ."""
    ends = [asdict(loop) for loop in loops]
    return {
        "task": task,
        "trials": len(loops),
        **{key: mean(float(end[key]) for end in ends) for key in ENDS},
        "wrong_own": mean(float(loop.world != loop.world_in_simulator) for loop in loops),
        "wrong_simulator": mean(float(loop.simulator_in_world != loop.simulator) for loop in loops),
        "otherwise": mean(float(loop.world_in_simulator != loop.simulator) for loop in loops),
    }


if __name__ == "__main__":
    main(measure)
