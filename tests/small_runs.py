"""Small runs with fakes, on any executor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task


def small_tasks() -> list[Task]:
    frames = np.random.default_rng(0).integers(0, 256, (6, 16, 24, 3), np.uint8)
    return [Task(f"a/{i}", "a", frame, "do it", 4) for i, frame in enumerate(frames)]


def evaluated(out: Path, high: FakePolicy, **changes: Any) -> None:
    config = replace(EvaluateConfig(out, trials=8, batch=2), **changes)
    low = FakePolicy(level=0.1, name="low")
    evaluate_parts(config, FakeWorld(), [high, low], small_tasks(), FakeJudge())


def contents(run: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(run)): p.read_bytes()
        for p in run.rglob("*")
        if p.suffix in (".mp4", ".npy")
    }
