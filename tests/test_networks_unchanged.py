"""No constructor changes the network that it is given: what a user holds stays as it was."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from tiny_networks import PAIR_TRUNK, TRUNK
from torch import nn

import worldgym
from worldgym.codecs.codec_protocol import Codec
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.codecs.kl import KLCodec
from worldgym.judges.classifier import ClassifierJudge, DecisionRule, JudgeConfig, JudgeNet
from worldgym.native.compiled_module import CompiledModule
from worldgym.policies.own.bc import BCConfig, BCNet, BCPolicy
from worldgym.policies.own.diffusion import DiffusionConfig, DiffusionNet, DiffusionPolicy
from worldgym.policies.own.network_policy import NetworkPolicy
from worldgym.testing import FAKE_SPEC
from worldgym.train.optimizer import Optimizer
from worldgym.trust import inverse_dynamics
from worldgym.trust.latent_statistics import LatentStatistics
from worldgym.world.compiled_dit import CompiledDiT
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_config import WorldConfig

ROOT = Path(worldgym.__file__).parent
TAUGHT = {Optimizer}  # what it is given is what it trains
SHARED = {NetworkPolicy}  # what the policies of the cases have in common
A = FAKE_SPEC.size


def pixels() -> nn.Module:
    diffusers = pytest.importorskip("diffusers", reason="the extra [kl] is not installed")
    made: nn.Module = diffusers.AutoencoderKL(block_out_channels=(8,), norm_num_groups=4)
    return made


def dit() -> DiT:
    sizes = {"width": 64, "pairs": 1, "heads": 2, "mlp_ratio": 2, "action_octaves": 2}
    return DiT(DiTConfig((3, 4, 4), action_size=2 * A + 1, **sizes))


def world_of(network: DiT) -> DiffusionWorld:
    codec: Codec = ConvCodec(ConvCodecConfig(32, channels=3, width=16, blocks=1))
    sampler = SamplerConfig(steps=2, window=6, keep=3)
    config = WorldConfig(FAKE_SPEC, network.config, sampler, "flow", {}, "")
    return DiffusionWorld(config, network, codec, "tiny", torch.bfloat16)


def inverse_of(network: Any) -> Any:
    meaning = inverse_dynamics.Meaning("codec", FAKE_SPEC, (1.0,) * A)
    drift = LatentStatistics.of(
        torch.randn(4, 3, 2, 3), torch.randn(2, 3, 2, 3), network.config.components
    )
    return inverse_dynamics.InverseDynamicsModel(network, drift, meaning)


CASES: dict[type, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    KLCodec: (pixels, lambda net: KLCodec(net, 32, "tiny")),
    ClassifierJudge: (
        lambda: JudgeNet(JudgeConfig((16, 16), 8, PAIR_TRUNK)),
        lambda net: ClassifierJudge(net, DecisionRule(), "tiny"),
    ),
    BCPolicy: (
        lambda: BCNet(BCConfig((16, 16), A, hidden=8, trunk=TRUNK)),
        lambda net: BCPolicy(net, FAKE_SPEC, "tiny"),
    ),
    DiffusionPolicy: (
        lambda: DiffusionNet(
            DiffusionConfig((16, 16), A, width=16, layers=1, heads=2, trunk=TRUNK)
        ),
        lambda net: DiffusionPolicy(net, FAKE_SPEC, "tiny"),
    ),
    inverse_dynamics.InverseDynamicsModel: (
        lambda: inverse_dynamics.InverseDynamicsNetwork(
            inverse_dynamics.InverseDynamicsConfig((3, 2, 3), A)
        ),
        inverse_of,
    ),
    DiffusionWorld: (dit, world_of),
    CompiledDiT: (dit, CompiledDiT),
    CompiledModule: (dit, lambda net: CompiledModule(net, "tiny")),
}


def takes_a_network(kind: type) -> bool:
    """Whether one of its parameters is annotated with a module of torch."""
    made = kind.__init__
    known = {**getattr(made, "__globals__", {}), "AutoencoderKL": nn.Module}
    for parameter in inspect.signature(made).parameters.values():
        for name in str(parameter.annotation).split(" | "):
            wanted = getattr(nn, name[3:], None) if name.startswith("nn.") else known.get(name)
            wanted = wanted.__bound__ if isinstance(wanted, TypeVar) else wanted
            if inspect.isclass(wanted) and issubclass(wanted, nn.Module):
                return True
    return False


def constructors() -> set[type]:
    found = set()
    for path in ROOT.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        if "torch" in path.read_text(encoding="utf-8") and path.parent.name != "reference":
            classes = vars(importlib.import_module(name.removesuffix(".__init__"))).values()
            found |= {kind for kind in classes if inspect.isclass(kind)}
    ours = {kind for kind in found if kind.__module__.startswith("worldgym.")}
    return {kind for kind in ours if not issubclass(kind, nn.Module) and takes_a_network(kind)}


def test_every_constructor_that_takes_a_network_is_tried() -> None:
    assert constructors() == {*CASES} | TAUGHT | SHARED


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_the_network_stays_as_it_was(kind: type) -> None:
    make, use = CASES[kind]
    torch.manual_seed(0)
    network = make()
    before = deepcopy(network)
    use(network)
    assert network.training
    for name, now in network.named_parameters():
        then = before.get_parameter(name)
        assert now.requires_grad and now.dtype == then.dtype and torch.equal(now, then), name
    for name, value in network.named_buffers():
        assert np.array_equal(value.numpy(), before.get_buffer(name).numpy()), name
