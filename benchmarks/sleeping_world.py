"""Evaluations whose machinery is measured and not their world, which sleeps in place of computing,
and a Ray cluster on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.stats.summary import Summary
from worldgym.testing import FakeJudge, FakePolicy, FakeState, FakeWorld
from worldgym.types import Actions, Frames, Task

STORE = 200 * 2**20  # bytes that a node keeps results in
STEPS = 4  # actions of a trial, one at a time


@dataclass(frozen=True)
class SleepingWorld(FakeWorld):
    """seconds: of each step, however many rows it has."""

    seconds: float = 0.0

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        time.sleep(self.seconds)
        return super().step(state, actions)


def tasks(count: int) -> list[Task]:
    frames = np.random.default_rng(0).integers(0, 256, (count, 16, 24, 3), np.uint8)
    return [
        Task(f"door/{i}", "door", frame, "open the door", STEPS) for i, frame in enumerate(frames)
    ]


def sleep_through(config: EvaluateConfig, seconds: float) -> Summary:
    """Two policies on as many initial frames as trials. seconds: of a trial."""
    world = SleepingWorld(seconds=seconds / STEPS)
    policies = [FakePolicy(level=0.2, name="low"), FakePolicy(level=0.8, name="high")]
    return evaluate_parts(config, world, policies, tasks(config.trials), FakeJudge())


def missing_or_wrong(run: Path, reference: Path) -> tuple[int, int, int]:
    """=> trials lost, finished twice, and finished with another record or other files than in the
    run that nothing disturbed."""
    (_, expected), (_, found) = (read_log(one / LOG_NAME) for one in (reference, run))
    finished = [r for r in found if r.finished]
    by_key = {r.key: r for r in finished}
    wrong = 0
    for r in expected:
        if (there := by_key.get(r.key)) is None:
            continue
        names = [name for name in (r.video, r.actions_file) if name is not None]
        same = all((run / name).read_bytes() == (reference / name).read_bytes() for name in names)
        wrong += not same or replace(there, attempt=r.attempt) != r
    lost = sum(r.key not in by_key for r in expected)
    return lost, len(finished) - len(by_key), wrong


@contextmanager
def cluster_here(cpus: list[int]) -> Iterator[Any]:
    """A cluster with a node for each number of CPUs, however many the machine has."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    utils = import_module("ray.cluster_utils")
    options = {"include_dashboard": False, "object_store_memory": STORE}
    cluster = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": cpus[0], **options})
    try:
        for count in cpus[1:]:
            cluster.add_node(num_cpus=count, object_store_memory=STORE)
        yield cluster
    finally:
        cluster.shutdown()
