"""What a run is made of is loaded and checked before anything is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.evaluation.load_parts import Sources, load_plan
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.tasks.write_tasks import write_task
from worldgym.testing import FakeJudge, FakeWorld
from worldgym.types import Task


def test_a_run_lies_outside_its_tasks(tmp_path: Path) -> None:
    """The next start would take its files for tasks without a picture."""
    frame = np.zeros((16, 24, 3), np.uint8)
    write_task(tmp_path / "tasks", Task("a/0", "a", frame, "push", 2))
    sources = Sources(FakeWorld(), ("still",), tmp_path / "tasks", FakeJudge())
    with pytest.raises(InputError, match="lies inside the input"):
        load_plan(sources, EvaluateConfig(tmp_path / "tasks" / "run", 1))
    assert load_plan(sources, EvaluateConfig(tmp_path / "run", 1)).trials
