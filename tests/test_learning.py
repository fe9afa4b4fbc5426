import pytest
import torch
from torch import Tensor, nn

from worldgym.learning import FitConfig, fit, schedule


def fitted(seed: int) -> nn.Linear:
    torch.manual_seed(seed)
    model, data = nn.Linear(2, 1), torch.randn(64, 2)

    def loss_at(step: int) -> Tensor:
        return (model(data) - data.sum(1, keepdim=True)).square().mean()

    losses = fit(model, loss_at, FitConfig(steps=150, lr=0.05, warmup=10, average=0.9), "toy")
    assert len(losses) == 150 and losses[-1] < 0.05 * losses[0]
    return model


def test_fit_learns_and_leaves_averaged_weights() -> None:
    assert fitted(0).weight.detach().flatten().tolist() == pytest.approx([1.0, 1.0], abs=0.05)


def test_fit_is_deterministic() -> None:
    assert torch.equal(fitted(1).weight, fitted(1).weight)


def test_schedule_warms_up_and_decays() -> None:
    rates = [schedule(step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0.02 <= rates[-1] < 0.03
