"""What holds tensors computes where its weights lie, whatever it is given: no tensor of another
device reaches them, and what is given back lies on the host.

No GPU is needed: weights lie on torch's `meta` device, and every operation that mixes it with the
CPU is refused as on a GPU. It computes no numbers, so what is copied to the host is replaced by
zeros."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import PAIR_TRUNK, SPEC, TRUNK
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from worldgym.actions.embodiment import Embodiment
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.judges.classifier import ClassifierJudge, DecisionRule, JudgeConfig, JudgeNet
from worldgym.policies.own.bc import BCConfig, BCNet, BCPolicy
from worldgym.policies.own.diffusion import DiffusionConfig, DiffusionNet, DiffusionPolicy
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FakeJudge
from worldgym.train.inverse_dynamics_training import Windows, inverse_dynamics_loss
from worldgym.train.latent_shards import LatentEpisodes, join
from worldgym.train.optimizer import FitConfig
from worldgym.trust.error_signals import Instruments, picture_signals
from worldgym.trust.inverse_dynamics import (
    InverseDynamicsConfig,
    InverseDynamicsModel,
    InverseDynamicsNetwork,
    Meaning,
    encode_frames,
)
from worldgym.trust.latent_statistics import LatentStatistics
from worldgym.trust.rollout_replay import ReplayOptions
from worldgym.types import Rollout, Task, Trial
from worldgym.world.familiarity import errors
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_config import WorldConfig

COPIES = (torch.ops.aten.copy_, torch.ops.aten._to_copy)
FRAMES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


class OneDevice(TorchDispatchMode):
    """Refuses what a GPU refuses: an operation on tensors of two devices. A single number may come
    from the host, and so may an index."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        places = {x.device.type for x in given if x.dim() and x.dtype != torch.int64}
        if len(places) > 1 and func.overloadpacket not in COPIES:
            raise RuntimeError(f"{func} of tensors on {places}")
        return func(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Copies to the host are zeros; `meta` has no autocast, and nothing to copy."""

    def cpu(tensor: Tensor) -> Tensor:
        return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor

    monkeypatch.setattr(Tensor, "cpu", cpu)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)
    with OneDevice():
        yield


def codec() -> ConvCodec:
    made = ConvCodec(ConvCodecConfig(size=32, channels=4, width=16, blocks=1)).eval().to("meta")
    made._fingerprint = "tiny"
    return made


def world(**changes: object) -> DiffusionWorld:
    size = (1 + 1) * SPEC.size + 1
    network = DiTConfig((4, 4, 4), width=32, pairs=1, heads=2, action_size=size, window=8)
    sampler = SamplerConfig(steps=2, window=6, keep=3)
    config = WorldConfig(SPEC, network, sampler, "flow", {}, "tiny")
    made = DiffusionWorld(config, DiT(network).to("meta"), codec(), "tiny", torch.float32)
    return made.with_sampler(**changes)


def inverse_dynamics() -> InverseDynamicsModel:
    network = InverseDynamicsNetwork(InverseDynamicsConfig((4, 4, 4), SPEC.size, width=8))
    latents = torch.randn(12, 4, 4, 4)
    statistics = LatentStatistics.of(latents, latents, network.config.components)
    meaning = Meaning("tiny", SPEC, (1.0,) * SPEC.size)
    return InverseDynamicsModel(network.to("meta"), statistics, meaning)


def look(step: int) -> Observation:
    return Observation(FRAMES[0], "do it", step)


def test_the_device_refuses_to_mix() -> None:
    """Or else none of the tests below shows anything."""
    for mix in (
        lambda x, y: x + y,
        lambda x, y: x @ y,
        lambda x, y: torch.cat([x, y]),
        lambda x, y: torch.where(x > 0, x, y),
    ):
        with pytest.raises((RuntimeError, NotImplementedError)):
            mix(torch.ones(2, 2), torch.ones(2, 2, device="meta"))


@pytest.mark.parametrize("rule", ["recompute", "rolling"])
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("cfg", [1.0, 2.0])
def test_worlds(rule: str, cached: bool, cfg: float) -> None:
    made = world(rule=rule, cached=cached, cfg=cfg)
    assert made.device == "meta" and made.computes == "torch, float32, meta"
    state = made.reset(FRAMES[:2, None], [1, 2])
    for chunk in (1, 2, 5, 1):  # a longer one than a window holds too
        state, frames = made.step(state, np.zeros((2, chunk, SPEC.size), np.float32))
        assert frames.shape == (2, chunk, 1, 32, 32, 3) and frames.dtype == np.uint8
    assert state.context.latents.is_meta


def test_codecs_take_tensors_from_anywhere() -> None:
    made = codec()
    latents = made.encode(torch.from_numpy(FRAMES))
    assert latents.is_meta and made.decode(torch.zeros(3, 4, 4, 4)).is_meta
    assert made.decode(latents).shape == FRAMES.shape
    assert errors(made, FRAMES).shape == (5,)
    assert encode_frames(made, FRAMES).device.type == "cpu"


def test_policies() -> None:
    policies = (
        BCPolicy(BCNet(BCConfig((32, 32), actions=3, trunk=TRUNK)).to("meta"), SPEC, "bc"),
        DiffusionPolicy(
            DiffusionNet(
                DiffusionConfig((32, 32), 3, chunk=4, width=16, layers=1, heads=2, trunk=TRUNK)
            ).to("meta"),
            SPEC,
            "diffusion",
        ),
    )
    trials = [Trial(Task("a/1", "a", FRAMES[0], "do it", 5), repeat, 0) for repeat in (0, 1)]
    for policy in policies:
        _, actions = policy.act(policy.reset(trials), [look(0), look(0)])
        assert actions.shape == (2, policy.chunk, 3) and actions.dtype == np.float32


def test_judges() -> None:
    net = JudgeNet(JudgeConfig((32, 32), 8, PAIR_TRUNK)).to("meta")
    judge = ClassifierJudge(net, DecisionRule(), "tiny")
    trial = Trial(Task("a/1", "a", FRAMES[0], "do it", 4), 0, 0)
    rollout = Rollout(trial, "p", FRAMES[:, None], np.zeros((4, 3), np.float32))
    assert judge(rollout, trial.task).probability is not None
    assert judge.settings["device"] == "meta", "a verdict of another device is told apart"
    assert "device" not in ClassifierJudge(JudgeNet(net.config), DecisionRule(), "tiny").settings


def test_inverse_dynamics_and_the_signals_of_the_error_predictor() -> None:
    made = inverse_dynamics()
    latents = encode_frames(codec(), FRAMES)
    assert made.actions(latents).shape == (4, SPEC.size)
    assert made.drift(torch.zeros(5, 4, 4, 4, device="meta")).distance.shape == (5,)
    with_ = Instruments(world(), codec(), made, FakeJudge(), ReplayOptions())
    assert set(picture_signals(with_, FRAMES, latents)) >= {"codec_error", "residual"}


def test_inverse_dynamics_in_training() -> None:
    data: LatentEpisodes = join(
        np.zeros((10, 4, 4, 4), np.float16),
        [np.zeros((4, SPEC.size), np.float32)] * 2,
        Embodiment("", SPEC),
    )
    net = InverseDynamicsNetwork(InverseDynamicsConfig((4, 4, 4), SPEC.size, width=8)).to("meta")
    windows = Windows.of(data, np.arange(2), net.config.offsets)
    scale = torch.ones(SPEC.size)
    loss = inverse_dynamics_loss(net, data, windows, scale, FitConfig(batch=4))(0)
    assert loss.is_meta
