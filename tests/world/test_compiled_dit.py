"""The compiled network is the network, in one program for each chunk length, batch size and
guidance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_worlds import latents_of, make_world
from torch._dynamo.utils import counters

from worldgym.world.compiled_dit import CompiledDiT, batch_bucket
from worldgym.world.model import DiffusionWorld


@pytest.fixture(autouse=True)
def _from_the_beginning() -> Iterator[None]:
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def compiled(world: DiffusionWorld, backend: str = "eager") -> tuple[DiffusionWorld, CompiledDiT]:
    engine = CompiledDiT(world.network, backend)
    return world.with_engine(engine), engine


def test_rows_come_in_powers_of_two() -> None:
    assert [batch_bucket(rows) for rows in (1, 2, 3, 8, 9)] == [1, 2, 4, 8, 16]


CASES = [
    (rule, positions, chunk, cfg)
    for rule in ("recompute", "rolling")
    for positions in ("learned", "rotary", "rotary_pixel")
    for chunk in range(1, 9)
    for cfg in (1.0, 2.0)
]
QUICK = [
    ("rolling", "learned", 1, 1.0),
    ("recompute", "rotary", 3, 2.0),
    ("rolling", "rotary_pixel", 8, 1.0),
]


@pytest.mark.parametrize(
    ("rule", "positions", "chunk", "cfg"),
    [
        pytest.param(*case, marks=[] if case in QUICK else [pytest.mark.slow], id=f"{case}")
        for case in CASES
    ],
)
def test_compiled_is_eager_is_plain_in_one_program(
    rule: str, positions: str, chunk: int, cfg: float
) -> None:
    """Through several windows: no break, no second program for another position."""
    schedule = "flow" if positions == "learned" else "sigmoid_v"
    world = make_world(positions, schedule, rule=rule, window=12, keep=4, steps=2, cfg=cfg)
    fast, engine = compiled(world)
    frames = 24 // chunk * chunk  # a rest would be a shorter chunk, with a program of its own
    found = latents_of(fast, 3, frames, chunk)
    assert engine.programs == counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"] and not counters["recompiles"]
    for twin in (world, world.with_sampler(cached=False)):
        assert np.abs(found - latents_of(twin, 3, frames, chunk)).max() < 1e-4


def test_each_chunk_batch_and_guidance_has_its_program() -> None:
    world = make_world(rule="rolling", window=6, keep=1, steps=1)
    engine = CompiledDiT(world.network, "eager")
    sizes = [(1, 1, 1.0), (1, 1, 2.0), (1, 3, 1.0), (2, 1, 1.0), (1, 4, 1.0)]
    for chunk, rows, cfg in sizes:
        guided = world.with_sampler(cfg=cfg).with_engine(engine)
        latents_of(guided, rows, 3 * chunk, chunk)
    assert engine.programs == counters["stats"]["unique_graphs"] == len(sizes) - 1  # 3 rows are 4
    assert not counters["graph_break"] and not counters["recompiles"]


def test_whole_rollouts_of_the_fast_backend() -> None:
    """What inductor is given: functions without writing in place, of fixed sizes."""
    world = make_world(rule="rolling", window=6, keep=1, steps=2)
    fast, engine = compiled(world, "aot_eager")
    assert np.abs(latents_of(fast, 2, 14, 2) - latents_of(world, 2, 14, 2)).max() < 1e-4
    assert engine.programs == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")  # inductor's own
def test_inductor_draws_the_same() -> None:
    world = make_world(rule="rolling", window=6, keep=1, steps=2)
    fast, engine = compiled(world, "inductor")
    assert np.abs(latents_of(fast, 3, 14, 2) - latents_of(world, 3, 14, 2)).max() < 1e-4
    assert engine.programs == 1 and not counters["graph_break"]


def test_states_branch() -> None:
    world = make_world(rule="rolling", window=4, keep=1, steps=2, cfg=2.0)
    fast, _ = compiled(world)
    actions = np.random.default_rng(4).uniform(-1, 1, (3, 24, 2)).astype(np.float32)
    root = fast.reset(np.zeros((3, 1, 8, 8, 3), np.uint8), [5, 6, 7])
    for i in range(10):
        root, _ = fast.step(root, actions[:, i : i + 1])
    expected, _ = world.step(replace(root, cache=None, stored=0), actions[:, 10:11])
    branch = root
    for count in (1, 9):
        for i in range(10, 10 + count):
            branch, _ = fast.step(branch, actions[:, i : i + 1])
        again, _ = fast.step(root, actions[:, 10:11])
        torch.testing.assert_close(
            again.context.latents, expected.context.latents, atol=1e-4, rtol=0
        )


def test_buffers_of_a_forgotten_cache_are_used_again() -> None:
    world = make_world(steps=1)
    engine = CompiledDiT(world.network, "eager")
    like = torch.zeros(1)
    one = engine.new_cache(2, 8, like)
    other = engine.new_cache(2, 8, like)
    kept = one.keys[0].data_ptr()
    assert other.keys[0].data_ptr() != kept and one.rows == 2 and one.capacity == 8
    del one
    assert engine.new_cache(2, 8, like, start=3).keys[0].data_ptr() == kept
    assert engine.new_cache(4, 8, like).rows == 4
