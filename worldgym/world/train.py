"""Training a world on latents: Diffusion Forcing with whole-clip action dropout (arXiv 2506.00613, section 3).

Every batch, noise level and noise is a function of (seed, step): a stopped run resumes exactly, and several processes that
share the rows of a batch take the steps that one process would take.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldgym.checkpoint import load_folder
from worldgym.episodes.windows import check_shown, cut, random_starts
from worldgym.errors import InputError
from worldgym.latents.protocol import Codec
from worldgym.latents.shards import LatentEpisodes
from worldgym.training import Optimizer, OptimizerConfig, Ranks, load_state, save_state
from worldgym.world.dit import DiT, DiTConfig
from worldgym.world.model import KIND, DiffusionWorld, WorldConfig
from worldgym.world.noise import make_schedule
from worldgym.world.sampler import SamplerConfig, null_actions

MATRICES = ("blocks.",)  # what Muon takes


@dataclass(frozen=True)
class WorldTrainConfig:
    """frames: length of a clip.   action_dropout: share of clips whose actions are dropped whole (for guidance).

    motion_weight: extra weight of latents that differ from the previous frame's or the start frame's, up to this much.
    dtype: of weights and activations in the network; master weights, EMA and optimiser stay float32.
    conditioning: how actions are shown, "sum" or "action" (as published): see `worldgym.episodes.windows.conditioning`.
    checkpointing: less memory for a third more products, same gradients: see `DiT`.
    start: checkpoint of a world of the same network and codec to go on from, with a new optimiser; None = from scratch.
    """

    out: Path
    network: DiTConfig
    optimizer: OptimizerConfig
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    schedule: str = "flow"
    schedule_settings: dict[str, float] = field(default_factory=dict)
    batch: int = 16
    frames: int = 16
    action_dropout: float = 0.1
    motion_weight: float = 4.0
    seed: int = 0
    save_every: int = 350
    device: str = "cpu"
    dtype: str = "bfloat16"
    start: Path | None = None
    conditioning: str = "sum"
    checkpointing: bool = False

    @property
    def plain_size(self) -> int | None:
        """The `size` of `conditioning`."""
        return self.network.action_size if self.conditioning == "action" else None


Report = Callable[[int, dict[str, float]], None]
Visit = Callable[[int, DiffusionWorld], None]


def train_world(config: WorldTrainConfig, data: LatentEpisodes, codec: Codec, report: Report, visit: Visit) -> DiffusionWorld:
    """Trains, or resumes what `config.out` holds; returns the world, saved at `config.out / "world"`.

    report(step, scalars) every 50 steps; visit(step, world of averaged weights) every `save_every` steps, after saving.
    """
    check_shown(config.conditioning, data.spec.size, config.network.action_size)
    if config.network.positions == "learned" and config.frames > config.network.window:
        raise InputError(
            f"clips of {config.frames} frames are longer than the {config.network.window} over which the network learns "
            "positions: train on shorter clips or give the network a longer window"
        )
    torch.manual_seed(config.seed)
    network = DiT(config.network, config.checkpointing)
    if config.start is not None:
        network.load_state_dict(load_folder(config.start, KIND)[1])
    network = network.to(config.device, getattr(torch, config.dtype))
    optimizer = Optimizer(network, config.optimizer, MATRICES)
    state, first = config.out / "state.safetensors", 0
    if (found := load_state(state)) is not None:
        first, tensors = found
        optimizer.load(tensors)
    clock, ranks, tables = Clock(config), Ranks.current(), Tables.of(data, config.device)
    for step in range(first, config.optimizer.steps):
        loss = diffusion_loss(network, config, make_batch(tables, config, step, ranks), step)
        loss.backward()
        ranks.average_gradients(network)
        norm = optimizer.step(step)
        clock.tick()
        if (step + 1) % 50 == 0 and ranks.first:
            report(step + 1, {"loss": loss.item(), "gradient_norm": norm, **clock.read()})
        if ranks.first and ((step + 1) % config.save_every == 0 or step + 1 == config.optimizer.steps):
            save_state(state, step + 1, optimizer.tensors())
            world = _averaged(config, optimizer, data, codec)
            world.save(config.out / "world", model_card(config, step + 1, len(data)), training_facts(config, step + 1))
            visit(step + 1, world)
            clock = Clock(config)
    return _averaged(config, optimizer, data, codec)


@dataclass(frozen=True)
class Tables:
    """All training data as tensors on the device: a batch is two look-ups. See LatentEpisodes."""

    latents: Tensor
    shown: Tensor
    first: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    @staticmethod
    def of(data: LatentEpisodes, device: str) -> Tables:
        return Tables(torch.tensor(data.latents).to(device), torch.tensor(data.shown).to(device), data.first, data.lengths)


@dataclass(frozen=True)
class Batch:
    """This process's rows of a batch: latents [b, T, C, h, w] float32, start: those of each episode's first frame
    [b, C, h, w], actions [b, T, numbers shown], mask [b, T] (False where padded), rows: their numbers in the whole batch of B."""

    latents: Tensor
    start: Tensor
    actions: Tensor
    mask: Tensor
    rows: slice


def make_batch(tables: Tables, config: WorldTrainConfig, step: int, ranks: Ranks) -> Batch:
    """Random windows of random episodes, a function of (seed, step)."""
    rng, mine = np.random.default_rng([config.seed, step]), ranks.share(config.batch)
    episodes = rng.integers(0, len(tables.lengths), config.batch)
    lengths = tables.lengths[episodes]
    frames, mask = cut(lengths, config.frames, random_starts(lengths, config.frames, rng))
    places = torch.from_numpy(tables.first[episodes][:, None] + frames)[mine].to(config.device)
    known = torch.from_numpy(mask)[mine].to(config.device)
    shown, latents = tables.shown[places], tables.latents[places].float()
    start = tables.latents[torch.from_numpy(tables.first[episodes])[mine].to(config.device)]
    return Batch(latents, start, torch.where(known[..., None], shown, null_actions(shown)), known, mine)


def diffusion_loss(network: DiT, config: WorldTrainConfig, batch: Batch, step: int) -> Tensor:
    """Mean squared error of v over all frames, each at its own noise level (Diffusion Forcing)."""
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    schedule = make_schedule(config.schedule, **config.schedule_settings)
    x, mine, whole = batch.latents, batch.rows, (config.batch, *batch.latents.shape[1:])
    level = schedule.sample_levels(whole[:2], generator)[mine].to(x.device)
    eps = torch.randn(whole, generator=generator)[mine].to(x.device)
    dropped = (torch.rand(config.batch, generator=generator) < config.action_dropout)[mine].to(x.device)
    actions = torch.where(dropped[:, None, None], null_actions(batch.actions), batch.actions)
    dtype = next(network.parameters()).dtype
    v = network(schedule.add_noise(x, eps, level).to(dtype), level, actions, batch.start.to(dtype)).float()
    weight = (
        motion_weight(x, batch.start, config.motion_weight) * (schedule.loss_weight(level) * batch.mask)[..., None, None, None]
    )
    error = (v - schedule.target(x, eps, level)).square()
    return (error * weight).mean()


def motion_weight(x: Tensor, start: Tensor, extra: float) -> Tensor:
    """x [B, T, C, h, w], start [B, C, h, w] => [B, T, 1, h, w]: 1 where a place looks as in the last frame and in the start
    frame, up to 1 + extra where it differs much from either.
    """
    moved = torch.cat([x[:, 1:2] - x[:, :1], x[:, 1:] - x[:, :-1]], 1)
    change, changed = (d.square().mean(2, keepdim=True).sqrt() for d in (moved, x - start.float()[:, None]))
    return 1.0 + extra * torch.maximum(change, changed).clamp(max=1.0)


class Clock:
    """Clips a second and the rate of matrix products, since the last visit."""

    def __init__(self, config: WorldTrainConfig) -> None:
        self.flops = 3.0 * config.network.flops_per_frame * config.frames * config.batch
        self.batch, self.steps, self.started = config.batch, 0, time.perf_counter()

    def tick(self) -> None:
        self.steps += 1

    def read(self) -> dict[str, float]:
        seconds = (time.perf_counter() - self.started) / self.steps
        return {"clips_per_second": self.batch / seconds, "matmul_tflops": self.flops / seconds / 1e12}


def _averaged(config: WorldTrainConfig, optimizer: Optimizer, data: LatentEpisodes, codec: Codec) -> DiffusionWorld:
    network = DiT(config.network).to(config.device)
    network.load_state_dict(optimizer.ema)
    settings = dict(config.schedule_settings)
    world = WorldConfig(
        data.spec, config.network, config.sampler, config.schedule, settings, codec.fingerprint, config.conditioning
    )
    return DiffusionWorld(world, network, codec, f"{config.out.name}", getattr(torch, config.dtype))


def training_facts(config: WorldTrainConfig, step: int) -> dict[str, Any]:
    keys = ("batch", "frames", "action_dropout", "motion_weight", "seed", "dtype")
    return {key: getattr(config, key) for key in keys} | {"step": step, "optimizer": asdict(config.optimizer)}


def model_card(config: WorldTrainConfig, step: int, episodes: int) -> str:
    return (
        f"# World model\n\nDiffusion-Forcing transformer, width {config.network.width}, {config.network.pairs} pairs of spatial "
        f"and temporal blocks, {config.schedule} schedule.\nTrained for {step} steps of {config.batch} clips of "
        f"{config.frames} frames from {episodes} episodes.\n"
    )
