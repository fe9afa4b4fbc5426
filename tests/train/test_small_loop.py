import pytest
import torch
from torch import Tensor, nn

from worldgym.train.small_loop import FitConfig, fit, schedule


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


def test_visits_see_averaged_weights_and_disturb_nothing() -> None:
    torch.manual_seed(0)
    models, data = [nn.Linear(2, 1) for _ in range(2)], torch.randn(8, 2)
    models[1].load_state_dict(models[0].state_dict())
    config, seen = (
        FitConfig(steps=6, lr=0.05, warmup=1, average=0.9),
        dict[int, tuple[int, torch.Tensor]](),
    )

    def loss_of(model: nn.Linear) -> Tensor:
        return (model(data) - 3.0).square().mean()

    def visit(step: int, losses: list[float]) -> None:
        seen[step] = len(losses), models[1].weight.detach().clone()

    plain = fit(models[0], lambda step: loss_of(models[0]), config, "plain")
    visited = fit(models[1], lambda step: loss_of(models[1]), config, "visited", visit, (2, 6))
    assert plain == visited and torch.equal(models[0].weight, models[1].weight)
    assert {step: count for step, (count, _) in seen.items()} == {2: 2, 6: 6}
    assert torch.equal(seen[6][1], models[1].weight) and not torch.equal(seen[2][1], seen[6][1])


def test_fit_is_deterministic() -> None:
    assert torch.equal(fitted(1).weight, fitted(1).weight)


def test_schedule_warms_up_and_decays() -> None:
    rates = [schedule(step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0.02 <= rates[-1] < 0.03
