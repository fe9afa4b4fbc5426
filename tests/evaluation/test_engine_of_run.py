"""A run is drawn by one engine, unless somebody says otherwise; and nothing is compiled while it
goes on."""

from __future__ import annotations

from functools import partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_worlds import make_world
from torch._dynamo.utils import counters

from worldgym.errors import InputError
from worldgym.evaluation.engine_of_run import engine_of_run
from worldgym.evaluation.load_parts import Sources, as_loaded, load_plan
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import carry_out, run_sources
from worldgym.io.run_log import read_log
from worldgym.testing import FakeJudge, FakeWorld
from worldgym.types import Task
from worldgym.world.compiled_dit import CompiledDiT
from worldgym.world.model import DiffusionWorld
from worldgym.world.row_threads import SplitWorld

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
TASKS = [Task(f"a/{i}", "a", frame, "do it", 12) for i, frame in enumerate(FRAMES)]


@pytest.fixture(autouse=True)
def _uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the compiler would be given is computed by torch's operations."""
    compiled = partialmethod(DiffusionWorld.compiled, "eager")
    monkeypatch.setattr(DiffusionWorld, "compiled", compiled)


def sources(engine: str, **changes: Any) -> Sources:
    world = make_world(rule="rolling", window=6, keep=1, steps=2)
    return Sources(world, ("still", "random"), TASKS, FakeJudge(), engine=engine, **changes)


def engine_of(out: Path) -> Any:
    return read_log(out / "log.jsonl")[0].config["engine"]


def test_a_whole_evaluation_is_compiled_once(tmp_path: Path) -> None:
    config = EvaluateConfig(tmp_path, 6, batch=3)
    plan = load_plan(sources("compiled"), config)
    torch._dynamo.reset()
    counters.clear()
    summary = carry_out(plan).summary
    world = plan.world._world if isinstance(plan.world, SplitWorld) else plan.world
    assert isinstance(world, DiffusionWorld) and isinstance(world.engine, CompiledDiT)
    rows = {1 << max(len(part) - 1, 0).bit_length() for part in _parts(plan.world)}
    assert world.engine.programs == len(rows), "one for each number of rows, for all positions"
    assert not counters["recompiles"] and not counters["graph_break"] and not counters["frames"]
    assert summary.completeness.missing == 0
    assert engine_of(tmp_path) == "compiled torch, float32, cpu"


def _parts(world: object) -> list[np.ndarray]:
    threads = world._threads if isinstance(world, SplitWorld) else 1
    return np.array_split(np.arange(3), min(threads, 3))


def test_a_run_goes_on_with_its_own_engine(tmp_path: Path) -> None:
    """With others only where that is said."""
    for own, other in (("eager", "compiled"), ("compiled", "eager")):
        out = tmp_path / own
        run_sources(sources(own), EvaluateConfig(out, 1))
        began = engine_of(out)
        assert began.startswith("compiled") == (own == "compiled")
        with pytest.raises(InputError, match="give the --device and --engine that it began on"):
            run_sources(sources(other), EvaluateConfig(out, 2))
        assert engine_of_run("auto", out) == own
        run_sources(sources("auto"), EvaluateConfig(out, 2))
        run_sources(sources(other), EvaluateConfig(out, 3, other_engine=True))
        assert engine_of(out) == began
        assert len(read_log(out / "log.jsonl")[1]) == 6


def test_on_a_cpu_nothing_is_compiled_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_sources(sources("auto"), EvaluateConfig(tmp_path, 1))
    assert engine_of(tmp_path) == "torch, float32, cpu"
    assert "engine" not in capsys.readouterr().err


def test_worlds_of_others_are_not_compiled(tmp_path: Path) -> None:
    world = FakeWorld()
    tasks = [Task("a/0", "a", np.zeros(world.frame_shape, np.uint8), "do it", 3)]
    for engine in ("auto", "eager"):
        there = Sources(world, ("still",), tasks, FakeJudge(), engine=engine)
        run_sources(there, EvaluateConfig(tmp_path / engine, 1))
    there = Sources(world, ("still",), tasks, FakeJudge(), engine="compiled")
    with pytest.raises(InputError, match="none of ours"):
        run_sources(there, EvaluateConfig(tmp_path / "compiled", 1))


def test_workers_take_what_was_chosen(tmp_path: Path) -> None:
    for engine in ("auto", "compiled"):
        asked = sources(engine)
        plan = load_plan(asked, EvaluateConfig(tmp_path / engine, 1))
        assert as_loaded(asked, plan).engine == {"auto": "eager"}.get(engine, engine)
    served = Sources("ws://localhost:1", ("still",), TASKS, FakeJudge())
    assert as_loaded(served, plan).engine == "auto", "that is its server's own"


def test_words_and_empty_logs(tmp_path: Path) -> None:
    assert engine_of_run("auto", tmp_path) == "auto"
    (tmp_path / "log.jsonl").write_text("")
    assert engine_of_run("auto", tmp_path) == "auto"
    with pytest.raises(InputError, match="it is auto, eager or compiled"):
        engine_of_run("fast", tmp_path)
