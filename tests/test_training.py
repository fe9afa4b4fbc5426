from __future__ import annotations

from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from worldgym.training import Optimizer, OptimizerConfig, load_state, rate, save_state


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


def test_no_state_is_none(tmp_path: Path) -> None:
    assert load_state(tmp_path / "absent.safetensors") is None


def test_muon_takes_matrices_only() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    optimizer = Optimizer(model, OptimizerConfig(steps=10, muon_lr=1e-2), matrices=("0.",))
    shapes = [p.shape for group in optimizer.optimizers["muon"].param_groups for p in group["params"]]
    assert shapes == [(8, 4)]
