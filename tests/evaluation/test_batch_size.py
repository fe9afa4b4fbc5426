"""The batch that nobody named: what fits the free memory, and what a run that goes on began
with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.evaluation import batch_size
from worldgym.evaluation.batch_size import bytes_a_trial, chosen_batch, fitting_batch, free_memory
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.testing import FAKE_SPEC, FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_config import WorldConfig


def world(width: int = 64, window: int = 8, **sampling: object) -> DiffusionWorld:
    size = 2 * FAKE_SPEC.size + 1
    network = DiTConfig((4, 8, 8), width=width, pairs=2, heads=2, action_size=size, window=32)
    sampler = replace(SamplerConfig(steps=1, window=window, keep=4), **sampling)  # type: ignore[arg-type]
    config = WorldConfig(FAKE_SPEC, network, sampler, "flow", {}, "")
    codec = ConvCodec(ConvCodecConfig(size=64, channels=4, width=16, blocks=1)).eval()
    codec._fingerprint = "tiny"
    return DiffusionWorld(config, DiT(network), codec, "tiny", torch.float32)


def test_it_follows_the_free_memory_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    one = world()
    for room, wanted in ((1e18, 32), (8.2, 8), (1.5, 1), (0.1, 1)):
        free = int(room * bytes_a_trial(one) / batch_size.SHARE)
        monkeypatch.setattr(batch_size, "free_memory", lambda device, free=free: free)
        assert fitting_batch(one) == wanted
    assert fitting_batch(FakeWorld()) == 32


def test_a_row_takes_at_most_what_is_counted() -> None:
    """Keys and values as the cache holds them, and the frames of the chunk."""
    for sampling in ({}, {"rule": "rolling"}, {"cfg": 2.0}):
        made = world(**sampling)
        state = made.reset(np.zeros((3, 1, 64, 64, 3), np.uint8), [1, 2, 3])
        for _ in range(3):
            state, _ = made.step(state, np.zeros((3, 2, FAKE_SPEC.size), np.float32))
        cache = state.cache
        assert cache is not None
        held = sum(x.nbytes for x in (*cache.keys, *cache.values, state.context.latents))
        assert 0 < held / 3 < bytes_a_trial(made, 2)
    frames = batch_size.PIXEL * 64 * 64
    once = bytes_a_trial(world()) - frames
    for larger in (world(width=128), world(window=16), world(cfg=2.0)):
        assert bytes_a_trial(larger) - frames > 1.5 * once


def test_the_system_says_what_is_free() -> None:
    assert free_memory(torch.device("cpu")) > 2**24


def test_a_run_goes_on_with_the_batch_that_it_began_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [Task(f"t/{i}", "t", np.zeros((16, 24, 3), np.uint8), "do it", 3) for i in range(4)]

    def run(batch: int | None, trials: int = 4) -> dict[str, object]:
        config = EvaluateConfig(tmp_path, trials, batch=batch)
        evaluate_parts(config, FakeWorld(), [FakePolicy()], tasks, FakeJudge())
        header = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()[0]
        found: dict[str, object] = json.loads(header)["config"]
        return found

    assert run(None)["batch"] == 32
    assert "batches of at most 32 trials (--batch auto)" in capsys.readouterr().err
    monkeypatch.setattr(batch_size, "MOST_ON_CPU", 7)  # as on a machine with less memory
    assert run(None)["batch"] == 32 and chosen_batch(None, FakeWorld(), tmp_path) == 32
    assert chosen_batch(None, FakeWorld(), tmp_path / "new") == 7
    assert chosen_batch(5, FakeWorld(), tmp_path) == 5
