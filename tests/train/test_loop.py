"""The one loop learns, and goes on to the same bits after a stop, whatever it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from worldgym.actions.embodiment import Embodiment
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.judges.classifier import JudgeConfig, JudgeNet
from worldgym.policies.image_trunk import TrunkConfig
from worldgym.policies.own.bc import BCConfig
from worldgym.policies.own.diffusion import DiffusionConfig
from worldgym.testing import FAKE_SPEC
from worldgym.train.inverse_dynamics_training import Windows, inverse_dynamics_loss
from worldgym.train.judge_labels import make_labels
from worldgym.train.judge_training import JudgeTrainConfig, judge_loss
from worldgym.train.latent_shards import join
from worldgym.train.loop import LoopOptions, Trained, save_steps, training_loop
from worldgym.train.optimizer import FitConfig
from worldgym.train.policy_samples import SampleConfig, make_samples
from worldgym.train.policy_training import PolicyTrainConfig, build, policy_loss
from worldgym.trust.inverse_dynamics import InverseDynamicsConfig, InverseDynamicsNetwork

CONFIG = FitConfig(steps=150, lr=0.05, warmup=10, average=0.9).optimizer()
FIT = FitConfig(steps=4, batch=4, warmup=1)
TRUNK = TrunkConfig(width=8, blocks=1, points=2, values=1, buckets=16, language=4)

Loss = Callable[[int], Tensor]
Make = Callable[[Path], tuple[nn.Module, Loss]]


def toy(seed: int) -> tuple[nn.Linear, Loss]:
    torch.manual_seed(seed)
    model, data = nn.Linear(2, 1), torch.randn(64, 2)
    return model, lambda step: (model(data) - data.sum(1, keepdim=True)).square().mean()


def test_it_learns_and_returns_averaged_weights() -> None:
    model, loss = toy(0)
    trained = training_loop(model, loss, CONFIG, LoopOptions("toy"))
    assert len(trained.losses) == 150 and trained.losses[-1] < 0.05 * trained.losses[0]
    assert trained.final_loss == pytest.approx(np.mean(trained.losses[-100:]))
    trained.put_into(model)
    assert model.weight.detach().flatten().tolist() == pytest.approx([1.0, 1.0], abs=0.05)


def test_checkpoints_hold_the_averages_of_their_step_and_disturb_nothing() -> None:
    seen = list[Trained]()
    config = replace(CONFIG, steps=6)
    plain = training_loop(*toy(1), config, LoopOptions("plain"))
    saved = training_loop(*toy(1), config, LoopOptions("saved", (2, 6), checkpoint=seen.append))
    assert plain.losses == saved.losses
    assert [(each.step, len(each.losses)) for each in seen] == [(2, 2), (6, 6)]
    for name, value in plain.weights.items():
        assert torch.equal(value, saved.weights[name]) and torch.equal(value, seen[1].weights[name])
    assert not torch.equal(seen[0].weights["weight"], seen[1].weights["weight"])


def test_reports_say_how_fast_it_goes() -> None:
    said = dict[int, dict[str, float]]()
    options = LoopOptions("toy", report=said.__setitem__, batch=64, unit="frame", flops=1e9)
    training_loop(*toy(2), CONFIG, options)
    assert list(said) == [50, 100, 150]
    names = {"loss", "gradient_norm", "frames_per_second", "matmul_tflops"}
    assert all(set(scalars) == names and min(scalars.values()) > 0 for scalars in said.values())


def test_it_saves_every_so_many_steps_and_at_the_end() -> None:
    assert save_steps(3, 7) == {3, 6, 7} and save_steps(3, 6) == {3, 6} and save_steps(9, 4) == {4}


class Stop(Exception):
    pass


def stop(trained: Trained) -> None:
    raise Stop


def normalized(store: Path) -> tuple[nn.Module, Loss]:
    """A model with running statistics."""
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    def loss_at(step: int) -> Tensor:
        data = torch.randn(8, 2, generator=torch.Generator().manual_seed(step))
        loss: Tensor = model(data).square().mean()
        return loss

    return model, loss_at


def policy(net: BCConfig | DiffusionConfig) -> Make:
    def make(store: Path) -> tuple[nn.Module, Loss]:
        config = PolicyTrainConfig(Path(), "toy", SampleConfig(store), net, FIT)
        samples = make_samples(frame_cache(EpisodeStore(store)), config.samples, net.chunk)
        model = build(replace(net, size=(16, 16), actions=2))
        return model, policy_loss(model, samples, config)

    return make


def judge(store: Path) -> tuple[nn.Module, Loss]:
    cache = frame_cache(EpisodeStore(store))
    config = JudgeTrainConfig(store, Path(), fit=FIT)
    model = JudgeNet(JudgeConfig((16, 16), 8, replace(TRUNK, channels=6), 2))
    return model, judge_loss(model, make_labels(cache, cache.names), config)


def inverse_dynamics(store: Path) -> tuple[nn.Module, Loss]:
    rng = np.random.default_rng(0)
    actions = [rng.uniform(-1, 1, (8, FAKE_SPEC.size)).astype(np.float32) for _ in range(2)]
    latents = rng.standard_normal((18, 2, 4, 4)).astype(np.float16)
    data = join(latents, actions, Embodiment("fake", FAKE_SPEC))
    model = InverseDynamicsNetwork(
        InverseDynamicsConfig((2, 4, 4), FAKE_SPEC.size, width=8, components=4)
    )
    windows = Windows.of(data, np.arange(2), model.config.offsets)
    return model, inverse_dynamics_loss(model, data, windows, torch.ones(FAKE_SPEC.size), FIT)


MODELS: dict[str, Make] = {
    "running statistics": normalized,
    "bc": policy(BCConfig(chunk=2, hidden=16, trunk=TRUNK)),
    "diffusion": policy(DiffusionConfig(chunk=2, width=16, layers=1, heads=2, trunk=TRUNK)),
    "judge": judge,
    "inverse dynamics": inverse_dynamics,
}


@pytest.mark.parametrize("kind", MODELS)
def test_resumed_is_uninterrupted(sided_store: Path, tmp_path: Path, kind: str) -> None:
    def train(state: str, checkpoint: Callable[[Trained], None] | None = None) -> nn.Module:
        torch.manual_seed(0)
        model, loss = MODELS[kind](sided_store)
        file = tmp_path / f"{state}.safetensors"
        options = LoopOptions(kind, (2, 4), file, checkpoint, autocast=True)
        training_loop(model, loss, FIT.optimizer(), options).put_into(model)
        return model

    whole = train("whole")
    with pytest.raises(Stop):
        train("broken", stop)
    resumed = train("broken").state_dict()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed[name]), name
