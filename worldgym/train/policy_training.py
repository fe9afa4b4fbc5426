"""Trains a policy of either architecture from an episode store."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.checkpoint import config_markdown
from worldgym.native.memory import keep_freed_memory
from worldgym.policies.instruction_features import instruction_features
from worldgym.policies.own.bc import BCConfig, BCNet, BCPolicy
from worldgym.policies.own.diffusion import DiffusionConfig, DiffusionNet, DiffusionPolicy
from worldgym.train.loop import LoopOptions, Trained, training_loop
from worldgym.train.optimizer import FitConfig
from worldgym.train.policy_samples import SampleConfig, Samples, augment_frames, make_samples
from worldgym.types import ActionSpec

Net = BCNet | DiffusionNet


@dataclass(frozen=True)
class PolicyTrainConfig:
    """One run: data, network, optimizer. The network's frame size and action numbers are those of
    the store.

    save_at: steps after which the policy is saved, each as NAME@STEP; empty = at the end alone, as
    NAME."""

    out: Path
    name: str
    samples: SampleConfig
    net: BCConfig | DiffusionConfig = field(default_factory=BCConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    save_at: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if wrong := [step for step in self.save_at if not 1 <= step <= self.fit.steps]:
            raise InputError(
                f"{self.name}: cannot be saved after step {wrong[0]} of {self.fit.steps}; leave "
                f"that step out"
            )

    @property
    def names(self) -> dict[int, str]:
        """Name of the policy saved after each step."""
        return {step: f"{self.name}@{step}" for step in self.save_at} or {self.fit.steps: self.name}

    @property
    def folders(self) -> dict[int, Path]:
        """Where the policy saved after each step lies: `out`, or `out`@STEP for a series."""
        return {step: self.out.with_name(f"{self.out.name}@{step}") for step in self.save_at} or {
            self.fit.steps: self.out
        }


def train_policy(config: PolicyTrainConfig, device: str = "cpu") -> list[Path]:
    """Trains, saves, and returns the folders. Same config, same store: same weights (on one machine
    and one thread)."""
    keep_freed_memory()
    store = EpisodeStore(config.samples.store)
    cache = frame_cache(store)
    samples = make_samples(cache, config.samples, config.net.chunk, config.net.cameras)
    torch.manual_seed(config.fit.seed)
    height, width = cache.pixels.shape[1:3]
    trunk = replace(config.net.trunk, channels=3 * len(samples.pixels))
    net = build(replace(config.net, size=(height, width), actions=store.spec.size, trunk=trunk)).to(
        device
    )

    def save(trained: Trained) -> None:
        copy = deepcopy(net)
        name = config.names[trained.step]
        trained.put_into(copy)
        facts = trained_facts(config, samples, trained)
        as_policy(copy, store.spec, name).save(
            config.folders[trained.step], facts, policy_card(config, name, facts)
        )

    training_loop(
        net,
        policy_loss(net, samples, config),
        config.fit.optimizer(),
        LoopOptions(config.name, config.names, checkpoint=save, autocast=True),
    )
    return list(config.folders.values())


def build(config: BCConfig | DiffusionConfig) -> Net:
    return BCNet(config) if isinstance(config, BCConfig) else DiffusionNet(config)


def as_policy(net: Net, spec: ActionSpec, name: str) -> BCPolicy | DiffusionPolicy:
    return BCPolicy(net, spec, name) if isinstance(net, BCNet) else DiffusionPolicy(net, spec, name)


def policy_loss(net: Net, samples: Samples, config: PolicyTrainConfig) -> Callable[[int], Tensor]:
    """The network's loss on a random batch. Batch, augmentation and noise depend on (seed, step)
    alone."""
    features = instruction_features(samples.instructions, net.config.trunk.buckets)
    device = next(net.parameters()).device

    def loss_at(step: int) -> Tensor:
        rng = np.random.default_rng([config.fit.seed, step])
        picked = np.sort(rng.integers(0, len(samples), config.fit.batch))
        frames = augment_frames(samples.frames(picked), config.samples.shift, rng)
        words = features[torch.from_numpy(samples.instruction[picked])]
        wanted, mask = (
            torch.from_numpy(x[picked]).to(device) for x in (samples.chunks, samples.mask)
        )
        return net.loss(torch.from_numpy(frames).to(device), words.to(device), wanted, mask, rng)

    return loss_at


def settings(config: PolicyTrainConfig) -> dict[str, Any]:
    """The recipe without its paths: what makes two trainings the same."""
    data = asdict(config)
    del data["out"], data["samples"]["store"]
    return data


def trained_facts(config: PolicyTrainConfig, samples: Samples, trained: Trained) -> dict[str, Any]:
    """What a reader of the checkpoint needs to know about its training."""
    return {
        "step": trained.step,
        "settings": settings(config),
        "samples": len(samples),
        "instructions": list(samples.instructions),
        "final_loss": trained.final_loss,
    }


def policy_card(config: PolicyTrainConfig, name: str, trained: dict[str, Any]) -> str:
    kind = "Behaviour-cloning" if isinstance(config.net, BCConfig) else "Action-diffusion"
    seen = f"frames of {', '.join(config.net.cameras)}" if config.net.cameras else "one frame"
    return (
        f"# {name}\n\n{kind} policy of WorldGym: {seen} and an instruction in, "
        f"{config.net.chunk} action(s) out. Trained "
        f"on {trained['samples']} frames with imitate = "
        f"{config.samples.imitate}.\n\n{config_markdown(trained)}"
    )
