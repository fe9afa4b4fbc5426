"""The compiled network is the network, in one program for each chunk length, batch size and
guidance."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_worlds import latents_of, make_world
from torch._dynamo.utils import counters

from worldgym.native.compiled_module import batch_bucket
from worldgym.world.compiled_dit import CompiledDiT
from worldgym.world.model import DiffusionWorld


@pytest.fixture(autouse=True)
def _from_the_beginning() -> None:
    torch._dynamo.reset()
    counters.clear()


def programs(world: DiffusionWorld) -> int:
    assert isinstance(world.engine, CompiledDiT)
    return world.engine.programs


def not_compiled_again() -> bool:
    """By torch's own count: nothing is traced where frames are drawn."""
    return not counters["graph_break"] and not counters["recompiles"] and not counters["frames"]


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
    fast = world.compiled("eager")
    frames = 24 // chunk * chunk  # a rest would be a shorter chunk, with a program of its own
    found = latents_of(fast, 3, frames, chunk)
    assert programs(fast) == 1 and not_compiled_again()
    for twin in (world, world.with_sampler(cached=False)):
        assert np.abs(found - latents_of(twin, 3, frames, chunk)).max() < 1e-4


@pytest.mark.parametrize("direct_width", [0, 8])
def test_what_is_carried_on_and_drawn_directly_is_compiled_too(direct_width: int) -> None:
    parts = {"carrier_width": 8, "direct_width": direct_width}
    world = make_world(rule="rolling", window=6, keep=1, steps=1, **parts)
    fast = world.compiled("eager")
    found, expected = (latents_of(twin, 2, 12, 1) for twin in (fast, world))
    assert programs(fast) == 1 and not_compiled_again()
    assert np.abs(found - expected).max() < 1e-4


def test_each_chunk_batch_and_guidance_has_its_program() -> None:
    world = make_world(rule="rolling", window=6, keep=1, steps=1).compiled("eager")
    sizes = [(1, 1, 1.0), (1, 1, 2.0), (1, 3, 1.0), (2, 1, 1.0), (1, 4, 1.0)]
    for chunk, rows, cfg in sizes:
        latents_of(world.with_sampler(cfg=cfg), rows, 3 * chunk, chunk)
    # 3 rows are 4; and one row with guidance is two rows
    assert programs(world) == len(sizes) - 1 and not_compiled_again()


def test_another_sight_is_another_program() -> None:
    world = make_world(rule="rolling", window=6, keep=1, steps=1).compiled("eager")
    for rule in ("rolling", "recompute", "rolling"):
        latents_of(world.with_sampler(rule=rule), 1, 2, 1)
    assert programs(world) == 2


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
@pytest.mark.slow
@pytest.mark.parametrize("direct_width", [0, 8])
def test_machine_code_draws_the_same_and_is_compiled_once(
    direct_width: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    parts = {"direct_width": direct_width}
    world = make_world(rule="rolling", window=6, keep=1, steps=2, **parts)
    wanted = latents_of(world, 3, 14, 2)
    first = world.compiled()
    assert np.abs(latents_of(first, 3, 14, 2) - wanted).max() < 1e-4
    assert programs(first) == 1 and capsys.readouterr().err.count("compiling") == 1
    counters.clear()
    # as another start finds it
    other = make_world(rule="rolling", window=6, keep=1, steps=2, **parts)
    with torch.no_grad():
        other.network.final_linear.bias.add_(1.0)
    kept = other.compiled("kept")
    assert np.abs(latents_of(kept, 3, 14, 2) - latents_of(other, 3, 14, 2)).max() < 1e-4
    assert np.abs(latents_of(kept, 3, 14, 2) - wanted).max() > 0.1, "it has weights of its own"
    assert not_compiled_again() and "compiling" not in capsys.readouterr().err


def test_states_branch() -> None:
    world = make_world(rule="rolling", window=4, keep=1, steps=2, cfg=2.0)
    fast = world.compiled("eager")
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
