from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from worldgym.train.distributed import ProcessGroup
from worldgym.train.optimizer import FitConfig, Optimizer, OptimizerConfig, averaged
from worldgym.train.training_state import load_state, save_state

CONFIG = OptimizerConfig(steps=10, lr=1e-2, muon_lr=1e-2, warmup=1)


@given(steps=st.integers(2, 5000), warmup=st.integers(0, 50))
def test_rate_rises_stays_and_falls_to_zero(steps: int, warmup: int) -> None:
    config = OptimizerConfig(steps, warmup=warmup)
    rates = [config.rate(step) for step in (0, steps // 4, steps // 2, steps - 1, steps)]
    assert all(0.0 <= value <= 1.0 for value in rates)
    assert rates[-1] == 0.0
    if steps > 3 * warmup:
        assert rates[2] >= rates[3]
    if warmup <= 1:
        assert rates[0] == 1.0


def test_the_rate_of_small_models_falls_from_the_warm_up_on() -> None:
    config = FitConfig(steps=100, warmup=10).optimizer()
    rates = [config.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0.02 <= rates[-1] < 0.03


def test_state_round_trip_continues_the_same_way(tmp_path: Path) -> None:
    def make() -> tuple[nn.Module, Optimizer]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)).bfloat16()
        return model, Optimizer(
            model, OptimizerConfig(steps=10, muon_lr=1e-2, warmup=1), matrices=("0.",)
        )

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


class Meeting:
    """Threads of one process in place of processes."""

    def __init__(self, count: int) -> None:
        self.desk: list[object] = [None] * count
        self.barrier = threading.Barrier(count)

    def __call__(self, rank: int, brought: object) -> list[object]:
        """=> what everyone brought."""
        self.desk[rank] = brought
        self.barrier.wait(20)
        everyones = list(self.desk)
        self.barrier.wait(20)
        return everyones


@dataclass(frozen=True)
class Threads(ProcessGroup):
    meet: Meeting

    def all_reduce(self, number: Tensor) -> float:
        return float(sum(self.meet(self.rank, number)))  # type: ignore[call-overload]

    def all_to_all(self, rows: Tensor) -> Tensor:
        return torch.stack([theirs[self.rank] for theirs in self.meet(self.rank, rows.clone())])  # type: ignore[index]

    def all_gather(self, numbers: Tensor) -> Tensor:
        return torch.stack(self.meet(self.rank, numbers.clone()))  # type: ignore[arg-type]

    def gather_dict(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value for own in self.meet(self.rank, tensors) for name, value in own.items()}  # type: ignore[attr-defined]


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)).bfloat16()


def learn(model: nn.Module, optimizer: Optimizer, steps: range, same: bool = True) -> list[float]:
    """same: every process learns from the same rows. The second layer's bias has no gradient in
    step 1. => gradient norms"""
    norms = []
    for step in steps:
        rows = torch.Generator().manual_seed(step if same else 100 * step + optimizer.group.rank)
        (5 * model(torch.randn(16, 4, generator=rows).bfloat16())).square().mean().backward()
        if step == 1:
            model[1].bias.grad = None  # type: ignore[index, union-attr]
        norms.append(optimizer.step(step))
    return norms


def together(count: int, work: Callable[[nn.Module, Optimizer], None]) -> list[dict[str, Tensor]]:
    """Does the work in so many threads. => the model of each"""
    meet, models = Meeting(count), [small() for _ in range(count)]
    optimizers = [
        Optimizer(model, CONFIG, ("0.", "1."), Threads(i, count, meet))
        for i, model in enumerate(models)
    ]
    workers = [
        threading.Thread(target=work, args=pair) for pair in zip(models, optimizers, strict=True)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    held = [set(optimizer.master) for optimizer in optimizers]
    assert sum(map(len, held)) == len(set.union(*held)) == 6
    return [model.state_dict() for model in models]


def assert_alike(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """But for the order in which numbers were added."""
    assert found.keys() == wanted.keys()
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("count", [2, 3])
def test_dealt_out_it_is_the_same(count: int) -> None:
    alone, norms, states = small(), [], []
    optimizer = Optimizer(alone, CONFIG, ("0.", "1."))
    wanted = learn(alone, optimizer, range(3))

    def work(model: nn.Module, mine: Optimizer) -> None:
        norms.append(learn(model, mine, range(3)))
        states.append(mine.tensors())

    models = together(count, work)
    assert max(wanted) > CONFIG.clip and all(
        found == pytest.approx(wanted, rel=1e-3) for found in norms
    )
    for model in models:
        assert_alike(model, alone.state_dict())
    whole = optimizer.tensors()
    assert (
        all(state.keys() == whole.keys() for state in states)
        and averaged(whole).keys() == dict(alone.named_parameters()).keys()
    )


def test_processes_with_rows_of_their_own_keep_the_same_weights() -> None:
    one, other = together(2, lambda model, mine: learn(model, mine, range(3), same=False) and None)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["0.weight"], small().state_dict()["0.weight"])


def test_a_run_goes_on_with_another_number_of_processes() -> None:
    states: list[dict[str, Tensor]] = []

    def begin(model: nn.Module, mine: Optimizer) -> None:
        learn(model, mine, range(3))
        states.append({name: value.clone() for name, value in mine.tensors().items()})

    def go_on(model: nn.Module, mine: Optimizer) -> None:
        mine.load({name: value.clone() for name, value in states[0].items()})
        learn(model, mine, range(3, 6))

    whole, *_ = together(2, lambda model, mine: learn(model, mine, range(6)) and None)
    together(2, begin)
    alone = small()
    go_on(alone, Optimizer(alone, CONFIG, ("0.", "1.")))
    assert_alike(alone.state_dict(), whole)
    for model in together(2, go_on):
        assert all(torch.equal(model[name], whole[name]) for name in whole)


def test_muon_takes_matrices_only() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    optimizer = Optimizer(model, OptimizerConfig(steps=10, muon_lr=1e-2), matrices=("0.",))
    shapes = [
        p.shape for group in optimizer.optimizers["muon"].param_groups for p in group["params"]
    ]
    assert shapes == [(8, 4)]
