from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from worldgym.errors import CheckpointError
from worldgym.training import Background, Optimizer, OptimizerConfig, load_state, rate, save_state


@given(steps=st.integers(2, 5000), warmup=st.integers(0, 50))
def test_rate_rises_stays_and_falls_to_zero(steps: int, warmup: int) -> None:
    rates = [rate(step, steps, warmup) for step in (0, steps // 4, steps // 2, steps - 1, steps)]
    assert all(0.0 <= value <= 1.0 for value in rates)
    assert rates[-1] == 0.0
    if steps > 3 * warmup:
        assert rates[2] >= rates[3]
    if warmup <= 1:
        assert rates[0] == 1.0


def test_state_round_trip_continues_the_same_way(tmp_path: Path) -> None:
    def make() -> tuple[nn.Module, Optimizer]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)).bfloat16()
        return model, Optimizer(model, OptimizerConfig(steps=10, muon_lr=1e-2, warmup=1), matrices=("0.",))

    def go(model: nn.Module, optimizer: Optimizer, first: int, last: int) -> None:
        for step in range(first, last):
            torch.manual_seed(step)
            model(torch.randn(16, 4).bfloat16()).square().mean().backward()
            optimizer.step(step)

    model, optimizer = make()
    go(model, optimizer, 0, 3)
    save_state(tmp_path / "state.safetensors", 3, optimizer.tensors())
    go(model, optimizer, 3, 6)
    again, resumed = make()
    found = load_state(tmp_path / "state.safetensors")
    assert found is not None
    resumed.load(found[1])
    go(again, resumed, found[0], 6)
    for kind in ("master", "ema"):
        for name, value in getattr(optimizer, kind).items():
            assert torch.equal(value, getattr(resumed, kind)[name]), (kind, name)


def test_a_state_is_that_of_the_moment_it_was_saved(tmp_path: Path) -> None:
    weights = torch.zeros(1000)
    with Background() as background:
        for step in (1, 2, 3):
            background.save(tmp_path / f"{step}.safetensors", step, {"weights": weights})
            weights += 1
    for step in (1, 2, 3):
        found = load_state(tmp_path / f"{step}.safetensors")
        assert found is not None and found[0] == step and (found[1]["weights"] == step - 1).all()


def test_a_state_that_cannot_be_written_stops_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError), Background() as background:
        background.save(tmp_path / "file" / "state.safetensors", 1, {"weights": torch.zeros(1)})
    with pytest.raises(OSError), Background() as background:
        background.save(tmp_path / "file" / "state.safetensors", 1, {"weights": torch.zeros(1)})
        background.save(tmp_path / "state.safetensors", 2, {"weights": torch.zeros(1)})
    assert not (tmp_path / "state.safetensors").exists()


def test_what_stops_a_training_is_what_is_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError), Background() as background:
        background.save(tmp_path / "file" / "state.safetensors", 1, {"weights": torch.zeros(1)})
        raise CheckpointError("another reason")


def test_no_state_is_none(tmp_path: Path) -> None:
    assert load_state(tmp_path / "absent.safetensors") is None


def test_muon_takes_matrices_only() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    optimizer = Optimizer(model, OptimizerConfig(steps=10, muon_lr=1e-2), matrices=("0.",))
    shapes = [p.shape for group in optimizer.optimizers["muon"].param_groups for p in group["params"]]
    assert shapes == [(8, 4)]
