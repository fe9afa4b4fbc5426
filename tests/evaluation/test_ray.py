"""A Ray cluster of three nodes on this machine, whose workers and nodes are killed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from job_work import slow_squares
from small_runs import contents, evaluated, small_tasks

from worldgym.evaluation.executor import Done, Watch
from worldgym.evaluation.ray_workers import RayExecutor
from worldgym.evaluation.rejudge import RejudgeConfig, rejudge
from worldgym.io.run_log import read_log
from worldgym.tasks.write_tasks import write_task
from worldgym.testing import FakeJudge, FakePolicy

ray = pytest.importorskip("ray", reason="the extra ray is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
JOBS = 60


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    ray.init(made.address, log_to_driver=False, include_dashboard=False)
    yield made
    ray.shutdown()
    made.shutdown()


def done_while(disturb: Callable[[], None], told: list[str], pids: Path) -> list[Done[int]]:
    other = threading.Thread(target=disturb)
    other.start()
    setup = partial(slow_squares, pids)
    found = list(RayExecutor(cpus=1.0).run(setup, range(JOBS), Watch(told.append)))
    other.join()
    return sorted(found, key=lambda one: one.number)


EXPECTED = [Done(i, i * i) for i in range(JOBS)]


def test_workers_that_are_killed_lose_nothing(cluster: Any, tmp_path: Path) -> None:
    rng = random.Random(0)

    def kill() -> None:
        time.sleep(3)
        for _ in range(4):
            time.sleep(rng.uniform(0.5, 1.5))
            if there := sorted(tmp_path.iterdir()):
                worker = rng.choice(there)
                worker.unlink()
                os.kill(int(worker.name), signal.SIGKILL)

    told: list[str] = []
    assert done_while(kill, told, tmp_path) == EXPECTED
    assert told


def test_a_node_that_goes_loses_nothing_and_one_that_comes_is_used(
    cluster: Any, tmp_path: Path
) -> None:
    def change() -> None:
        time.sleep(4)
        cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
        cluster.add_node(num_cpus=1)

    assert done_while(change, [], tmp_path) == EXPECTED


def test_a_run_on_ray_is_the_run_of_one_process(cluster: Any, tmp_path: Path) -> None:
    for name, on in (("local", "local"), ("ray", "ray")):
        evaluated(tmp_path / name, FakePolicy(level=0.9, name="high"), on=on)
    here, there = (read_log(tmp_path / name / "log.jsonl")[1] for name in ("local", "ray"))
    assert {r.key: r for r in here} == {r.key: r for r in there} and len(here) == len(there)
    assert contents(tmp_path / "local") == contents(tmp_path / "ray")


def test_judging_again_on_ray_is_judging_again_in_one_process(cluster: Any, tmp_path: Path) -> None:
    run, tasks = tmp_path / "run", tmp_path / "tasks"
    evaluated(run, FakePolicy(level=0.9, name="high"))
    for task in small_tasks():
        write_task(tasks, task)
    for on in ("local", "ray"):
        config = RejudgeConfig(run, tmp_path / on, tasks, on=on)
        rejudge(config, FakeJudge(name="strict", threshold=0.95))
    here, there = (read_log(tmp_path / on / "log.jsonl")[1] for on in ("local", "ray"))
    assert {r.key: r for r in here} == {r.key: r for r in there} and len(here) == len(there) == 16
    assert contents(tmp_path / "local") == contents(tmp_path / "ray")
