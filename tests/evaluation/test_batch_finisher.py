"""A batch is finished while the next is rolled out, and nothing but the time depends on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worldgym.errors import BudgetSpent
from worldgym.evaluation import run as running
from worldgym.evaluation.batch_finisher import BatchFinisher
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import read_log
from worldgym.io.run_records import TrialRecord
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Rollout, Task, Verdict

POLICIES = [FakePolicy(level=0.1, name="low"), FakePolicy(level=0.7, chunk=3, name="high")]


def tasks(count: int = 12) -> list[Task]:
    frames = np.random.default_rng(0).integers(0, 256, (count, 16, 24, 3), np.uint8)
    return [Task(f"t/{i}", "t", frame, "do it", 3) for i, frame in enumerate(frames)]


@dataclass(frozen=True)
class Odd(FakeJudge):
    """Breaks on some trials, twice on one, and declines others; slowly, so that batches meet."""

    asked: list[str] = field(default_factory=list)

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        self.asked.append(task.name)
        threading.Event().wait(0.002)
        if task.name == "t/2" or (task.name == "t/7" and self.asked.count("t/7") < 3):
            raise ValueError("no such thing")
        verdict = super().__call__(rollout, task)
        return replace(verdict, score=None, reason="who knows") if task.name == "t/4" else verdict


class Fragile(FakeWorld):
    """Breaks on batches that hold one of the tasks, however small they are for one of them."""

    def reset(self, frames: Any, seeds: Any) -> Any:
        if len(frames) > 1 and any((frame == tasks()[5].frame).all() for frame in frames):
            raise RuntimeError("a full house")
        if any((frame == tasks()[9].frame).all() for frame in frames):
            raise RuntimeError("never")
        return super().reset(frames, seeds)


def ran(
    out: Path, judge: FakeJudge, world: FakeWorld | None = None, on: str = "local"
) -> list[TrialRecord]:
    config = EvaluateConfig(out, 12, batch=3, on=on, workers=1)
    evaluate_parts(config, world or FakeWorld(), POLICIES, tasks(), judge)
    return read_log(out / "log.jsonl")[1]


def one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "BatchFinisher", partial(BatchFinisher, overlap=False))


def test_the_log_is_that_of_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its order, with failures of worlds and judges, and so are the files; and where the second
    start finds rollouts on the disk."""
    found = ran(tmp_path / "fast", Odd(), Fragile())
    again = ran(tmp_path / "fast", Odd(), Fragile())
    one_after_the_other(monkeypatch)
    assert ran(tmp_path / "slow", Odd(), Fragile()) == found
    assert ran(tmp_path / "slow", Odd(), Fragile()) == again
    assert len(again) > len(found) > 24
    files = [
        {p.relative_to(root): p.read_bytes() for p in sorted((root / "videos").rglob("*.*"))}
        for root in (tmp_path / "fast", tmp_path / "slow")
    ]
    assert files[0] == files[1] and files[0]


def test_the_log_of_a_worker_is_that_too(tmp_path: Path) -> None:
    found = ran(tmp_path / "here", Odd(), Fragile())
    assert ran(tmp_path / "there", Odd(), Fragile(), on="processes") == found
    assert len(found) > 24


@dataclass(frozen=True)
class Waiting(FakeJudge):
    """Its first verdict waits until the world has begun the batch after."""

    begun: threading.Event = field(default_factory=threading.Event)

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        assert self.begun.wait(30), "the world waited for the judge"
        return super().__call__(rollout, task)


class Counted(FakeWorld):
    """Does something when the second batch begins."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self.begun: list[int] = []
        self.then = then

    def reset(self, frames: Any, seeds: Any) -> Any:
        self.begun.append(len(frames))
        if len(self.begun) == 2:
            self.then()
        return super().reset(frames, seeds)


def test_the_world_goes_on_while_the_judge_thinks(tmp_path: Path) -> None:
    begun = threading.Event()
    assert len(ran(tmp_path, Waiting(begun=begun), Counted(begun.set))) == 24


class Poor(FakeJudge):
    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        if task.name == "t/1":
            raise BudgetSpent("no money")
        return super().__call__(rollout, task)


def test_what_ends_a_run_ends_it_after_the_same_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ran(tmp_path / "fast", Poor())
    one_after_the_other(monkeypatch)
    assert ran(tmp_path / "slow", Poor()) == found
    assert sum(record.finished for record in found) == 1


def test_nothing_is_written_after_an_interrupt(tmp_path: Path) -> None:
    """Ctrl-C, that is; and it does not wait for the judge."""
    judging, over = threading.Event(), threading.Event()

    class Slow(FakeJudge):
        def __call__(self, rollout: Rollout, task: Task) -> Verdict:
            judging.set()
            over.wait(30)
            return super().__call__(rollout, task)

    def interrupt() -> None:
        assert judging.wait(30)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ran(tmp_path, Slow(), Counted(interrupt))
    before = (tmp_path / "log.jsonl").read_bytes()
    over.set()
    for thread in threading.enumerate():
        if thread.name.startswith("finish"):
            thread.join(30)
    assert (tmp_path / "log.jsonl").read_bytes() == before
    assert len(ran(tmp_path, FakeJudge())) == 24
