"""A Ray cluster of three nodes on this machine, whose workers and nodes are killed."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from job_work import broken, misled, slow_squares, squares
from signalled_runs import signalled
from small_runs import contents, evaluated, small_tasks

from worldgym.errors import InputError
from worldgym.evaluation.executor import Done, Watch
from worldgym.evaluation.ray_workers import RayExecutor, _Actors
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


def refused(setup: Callable[[], Callable[[int], int]], address: str | None = None) -> str:
    with pytest.raises(InputError) as found:
        list(RayExecutor(address, 1).run(setup, range(3), Watch()))
    return str(found.value)


def test_an_error_of_a_worker_is_the_drivers(cluster: Any) -> None:
    assert refused(broken) == "no such world; name another"
    assert refused(misled) == "the file x is broken; restore it"


def test_a_cluster_that_can_grow_is_asked_for_more(cluster: Any) -> None:
    workers = _Actors(RayExecutor(), squares)
    assert workers.wanted() == 4  # three nodes of one core
    workers.close()


def test_an_address_where_nothing_answers_is_refused_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        said = refused(squares, f"127.0.0.1:{taken.getsockname()[1]}")
    assert "no Ray cluster at 127.0.0.1:" in said and "RAY_AUTH_MODE" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_loses_no_batch(number: signal.Signals, tmp_path: Path) -> None:
    found = signalled(tmp_path / "run", "ray", number)
    assert found.code == (75 if number == signal.SIGTERM else 130)
    assert found.before < found.after < found.planned and found.after % 2 == 0
    assert not (tmp_path / "run" / "lost.jsonl").exists()


def test_a_cluster_with_a_token_takes_a_driver_that_has_it(tmp_path: Path) -> None:
    """As the recipes start one: by `ray start`."""
    token = tmp_path / "token"
    token.write_text("a" * 64)
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    env = {**os.environ, **own, "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": tempfile.mkdtemp()}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = ["start", "--head", "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=1"]
    ray_words = [sys.executable, "-m", "ray.scripts.scripts"]
    small = ["--include-dashboard=false", "--object-store-memory=80000000", "--block"]
    head = subprocess.Popen([*ray_words, *start, *small], env=env, start_new_session=True)
    try:
        driver = [sys.executable, "-c", DRIVER, f"127.0.0.1:{port}"]
        assert subprocess.run(driver, env=env, timeout=120, check=True).returncode == 0
        without = {name: value for name, value in env.items() if name not in own}
        assert subprocess.run(driver, env=without, timeout=120, check=False).returncode == 9
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        head.wait(60)


DRIVER = """
import sys, time
from job_work import squares
from worldgym.errors import InputError
from worldgym.evaluation.executor import Watch
from worldgym.evaluation.ray_workers import RayExecutor
for attempt in range(20):
    try:
        found = list(RayExecutor(sys.argv[1], 1).run(squares, range(3), Watch()))
        sys.exit(len(found) != 3)
    except InputError as error:
        if "refused" not in str(error):  # else it has not begun to listen
            sys.exit(9)
        time.sleep(1)
sys.exit(1)
"""


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
