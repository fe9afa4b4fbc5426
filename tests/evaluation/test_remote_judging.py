"""Judging again by workers is judging again in one process."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from small_runs import contents

from worldgym.errors import InputError
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.rejudge import RejudgeConfig, rejudge
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_files import LOST_NAME
from worldgym.io.run_log import read_log
from worldgym.io.run_records import TrialRecord, results
from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import write_task
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Rollout, Task, Verdict

ELSEWHERE = ("processes", 2)
ALONE = ("processes", 1)  # to start a process takes seconds


@dataclass(frozen=True)
class DeadlyJudge(FakeJudge):
    """Kills its process at a task: once, or, where `once` cannot be made, each time."""

    once: Path | None = None

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        if self.once is not None and task.name == "door/1" and not self.once.exists():
            if self.once.parent.exists():
                self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(rollout, task)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """20 trials, two batches of videos."""
    for i in range(10):
        frame = np.random.default_rng(i).integers(0, 256, (16, 24, 3)).astype(np.uint8)
        write_task(tmp_path / "tasks", Task(f"door/{i}", "door", frame, "open the door", 4))
    policies = [FakePolicy(level=0.1, name="low"), FakePolicy(level=0.9, chunk=2, name="high")]
    tasks = load_tasks(tmp_path / "tasks")
    origin = Origin({"tasks": str(tmp_path / "tasks")})
    evaluate_parts(
        EvaluateConfig(tmp_path / "run", 10), FakeWorld(), policies, tasks, FakeJudge(), origin
    )
    return tmp_path / "run"


def judged(config: RejudgeConfig, judge: FakeJudge) -> dict[tuple[str, str, int], TrialRecord]:
    rejudge(config, judge)
    outcome = results(read_log(config.out / "log.jsonl")[1])
    return {r.key: replace(r, time="", timing={}) for r in outcome.finished + outcome.failed}


def test_workers_say_what_one_process_says(run: Path, tmp_path: Path) -> None:
    (run / "videos" / "high" / "door" / "3-0.mp4").unlink()  # fails, with the run's own path
    strict = FakeJudge(threshold=0.95)
    here = judged(RejudgeConfig(run, tmp_path / "here"), strict)
    config = RejudgeConfig(run, tmp_path / "there", None, "", False, *ELSEWHERE)
    assert judged(config, strict) == here and len(here) == 20
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    log = tmp_path / "there" / "log.jsonl"
    judged(config, strict)  # only what failed is judged again
    assert len(read_log(log)[1]) == 21


def test_a_worker_that_dies_costs_nothing(run: Path, tmp_path: Path) -> None:
    deadly = DeadlyJudge(once=tmp_path / "once")
    config = RejudgeConfig(run, tmp_path / "there", None, "", False, *ALONE)
    found = judged(config, deadly)
    assert found == judged(RejudgeConfig(run, tmp_path / "here"), FakeJudge())
    assert "killed by signal 9" in (tmp_path / "there" / LOST_NAME).read_text()


@pytest.mark.slow
def test_what_kills_every_worker_fails_and_is_tried_again(run: Path, tmp_path: Path) -> None:
    config = RejudgeConfig(run, tmp_path / "there", None, "", False, *ALONE)
    found = judged(config, DeadlyJudge(once=tmp_path / "none" / "once"))
    failed = [r for r in found.values() if r.failure_reason is not None]
    assert 0 < len(failed) < 20 and all(
        str(r.failure_reason).startswith("infrastructure") for r in failed
    )
    assert all(r.score is not None for r in judged(config, FakeJudge()).values())


def test_a_worker_with_another_judge_is_refused(run: Path, tmp_path: Path) -> None:
    config = RejudgeConfig(run, tmp_path / "there", None, "", False, *ALONE)
    with pytest.raises(InputError, match="give all machines the same files"):
        rejudge(config, FakeJudge(), partial(FakeJudge, name="other"))
