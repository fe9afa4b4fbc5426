"""The benchmarks of rollouts, at a tiny size on a CPU: what they count and compare is what they
say."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from tiny_worlds import make_world

from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("benchmarks/size_speed.py")


def tiny() -> WorldTrainConfig:
    network = DiTConfig(
        (4, 4, 4),
        width=64,
        pairs=1,
        heads=2,
        action_size=10,
        previous_frame=False,
        initial_frame=False,
        positions="rotary_pixel",
    )
    sampler = SamplerConfig(steps=3, window=6, keep=0)
    return WorldTrainConfig(
        Path("unused"),
        network,
        OptimizerConfig(steps=1),
        sampler,
        schedule="sigmoid_v",
        conditioning="action",
        device="cpu",
    )


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
        ),
    ],
)
def test_sizes(script: ModuleType, device: str) -> None:
    world = script.random_world(tiny(), steps=3, device=device)
    one, chunks = script.speeds(world, [1, 2], [2], [2])
    call = world.config.network.flops_per_frame / 1e12
    assert one.tflops == (3 * 6 * call, 4 * call)
    assert chunks.tflops == (4 * 6 / 2 * call, 4.5 * call)  # frames of a chunk join one by one
    assert min(one.plain, one.engine, chunks.plain, chunks.engine) > 0
    assert len(one.cells()) == 7


def test_what_is_counted_is_what_is_computed(script: ModuleType) -> None:
    """Frames that pass the network of each sampler once the window is full."""
    from rollout_speed import PUBLISHED, Counted, with_engine

    # as the bundled one is
    world = script.random_world(tiny(), steps=3, device="cpu").with_sampler(rule="rolling")
    for changes, passes in ((PUBLISHED, 3 * 6), ({}, 3 + 1)):
        counted = Counted(world.network)
        changed = with_engine(world, counted, **changes)
        state = script.full_state(world, 1, 1)
        actions = script.np.zeros((1, 1, world.spec.size), "float32")
        state, _ = changed.step(state, actions)
        before = counted.frames
        changed.step(state, actions)
        assert counted.frames - before == passes


def test_every_engine_has_its_row_and_the_table_its_ratios(
    load_script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worldgym.io.benchmark_rows import do_rows, read_rows
    from worldgym.world.model import DiffusionWorld

    engines = load_script("benchmarks/engines.py")
    worlds = {size: make_world(rule="rolling", window=6, keep=1) for size in engines.SIZES}
    monkeypatch.setattr(engines, "world_of", lambda size, device: worlds[size])
    monkeypatch.setattr(engines, "SECONDS", 0.0)
    whole = DiffusionWorld.compiled  # only of one size: to trace a network takes seconds

    def compiled(world: DiffusionWorld) -> DiffusionWorld:
        return whole(world, "eager") if world is worlds["bundled"] else world

    monkeypatch.setattr(DiffusionWorld, "compiled", compiled)
    rows = [replace(row, steps=min(row.steps, 2)) for row in engines.planned() if row.batch < 32]
    assert {(row.engine, row.size) for row in rows} == {
        (engine, size) for engine in engines.ENGINES for size in engines.SIZES
    }
    for part in (rows[:5], rows):  # the second call goes on
        do_rows(tmp_path, part, lambda row: engines.measured(row, "cpu"), "cpu", 60.0)
    found = read_rows(tmp_path)
    assert [line["asked"] for line in found] == [asdict(row) for row in rows]
    assert not [line["broke"] for line in found if "broke" in line]
    header, _, *lines = engines.table(found)
    assert len(lines) == 2 * 2 * 2 and all(line.count("|") == header.count("|") for line in lines)
    assert "|  |" not in "".join(lines), "each row has all its figures"
    only = [line for line in found if line["asked"]["engine"] == "eager"]
    assert engines.table(only)[2].startswith("| bundled | 1 | 1 |  | ")


def test_a_row_of_the_compiler_keeps_nothing(
    load_script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = load_script("benchmarks/engines.py")
    monkeypatch.setenv("XDG_CACHE_HOME", "mine")
    with engines.kept_nowhere():
        elsewhere = os.environ["XDG_CACHE_HOME"]
        assert elsewhere != "mine" and Path(elsewhere).is_dir()
    assert os.environ["XDG_CACHE_HOME"] == "mine" and not Path(elsewhere).exists()
