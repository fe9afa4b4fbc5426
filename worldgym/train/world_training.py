"""Training a world on latents: Diffusion Forcing with whole-clip action dropout (arXiv 2506.00613,
section 3).

Every batch, noise level and noise is a function of (seed, step): a stopped run resumes exactly, and
several processes that share the rows of a batch take the steps that one process would take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldgym.actions.embodiment import Embodiment, most_numbers, most_sums
from worldgym.codecs.codec_protocol import Codec
from worldgym.episodes.mixture import check_shares, draw_episodes
from worldgym.episodes.windows import Ints, cut, random_starts
from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import load_folder, save_folder
from worldgym.train.compiled_gradients import Learner
from worldgym.train.latent_rows import LatentRows, latent_rows
from worldgym.train.latent_shards import LatentEpisodes
from worldgym.train.optimizer import (
    BackgroundSaver,
    Clock,
    Optimizer,
    OptimizerConfig,
    averaged,
    load_state,
)
from worldgym.train.processes import Ranks
from worldgym.world.conditioning import check_shown, null_actions, shown_columns
from worldgym.world.embodiments import shared, single
from worldgym.world.grown_weights import grown
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT, DiTConfig, Robots
from worldgym.world.noise import make_schedule
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_config import KIND, WorldConfig

MATRICES = ("blocks.",)  # what Muon takes


@dataclass(frozen=True)
class WorldTrainConfig:
    """frames: length of a clip.   action_dropout: share of clips whose actions are dropped whole
    (for guidance).

    motion_weight: extra weight of latents that differ from the previous frame's or the initial
    frame's, up to this much. dtype: of weights and activations in the network; master weights, EMA
    and optimiser stay float32. conditioning: how actions are shown, "sum" or "action" (as
    published): see `worldgym.world.conditioning.conditioning`. checkpointing: less memory for a
    third more products, same gradients: see `DiT`.
    start: checkpoint of a world of the same network and codec to go on from, with a new optimiser;
    None = from scratch. Latents may have more channels than its, as those of a codec grown from its
    own.
    normalize: show actions in units of their own spread. Several robots of one world always are.
    mix: share of every store in a batch, in any unit; empty = every episode is as likely as any
    other."""

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
    normalize: bool = False
    mix: tuple[float, ...] = ()

    def columns(self, robot: Embodiment, widest: int) -> Ints:
        """Which of the numbers that the network is shown are this robot's.   widest: see
        `shown_columns`."""
        return shown_columns(
            self.conditioning, robot.spec.size, self.network.action_size, robot.scaling.sums, widest
        )

    def plain_size(self, robot: Embodiment) -> int | None:
        """The `size` of `conditioning`, for one robot."""
        return len(self.columns(robot, robot.spec.size)) if self.conditioning == "action" else None


Worlds = Mapping[str, DiffusionWorld]  # by the name of the robot
Report = Callable[[int, dict[str, float]], None]
Visit = Callable[[int, Worlds], None]


@dataclass(frozen=True)
class Objective:
    """loss(network, tables, step, ranks): of this process's rows of a batch, a function of (seed,
    step).

    passes: of a clip's frames through the network, which a step's products amount to.   facts: for
    the checkpoint's config."""

    loss: Callable[[DiT, Tables, int, Ranks], Tensor]
    passes: float
    facts: Mapping[str, Any] = field(default_factory=dict)


def forcing(config: WorldTrainConfig) -> Objective:
    """Diffusion Forcing on recorded clips."""

    def loss(network: DiT, tables: Tables, step: int, ranks: Ranks) -> Tensor:
        return diffusion_loss(network, config, make_batch(tables, config, step, ranks), step)

    return Objective(loss, 3.0)


def train_world(
    config: WorldTrainConfig,
    data: Sequence[LatentEpisodes],
    codec: Codec,
    report: Report,
    visit: Visit,
    objective: Objective | None = None,
) -> Worlds:
    """Trains, or resumes what `config.out` holds; returns the world as each robot meets it, saved
    at `config.out / "world"`.

    data: of every store.   report(step, scalars) every 50 steps; visit(step, worlds of averaged
    weights) every `save_every`
    steps.   objective: what is learned (None: `forcing`).
    """
    objective, robots = objective or forcing(config), check_training(config, data)
    described = checkpoint_config(config, robots, codec)
    torch.manual_seed(config.seed)
    network = Learner(config.network, config.checkpointing)
    if config.start is not None:
        _start(network, config.start)
    network = network.to(config.device, getattr(torch, config.dtype))
    ranks = Ranks.current()
    optimizer = Optimizer(network, config.optimizer, MATRICES, ranks)
    state, first = config.out / "state.safetensors", 0
    if (found := load_state(state)) is not None:
        first, tensors = found
        optimizer.load(tensors)
    flops = objective.passes * config.network.flops_per_frame * config.frames * config.batch
    clock, tables = Clock(config.batch, flops), Tables.of(data, config)
    with BackgroundSaver() as background:
        for step in range(first, config.optimizer.steps):
            loss = objective.loss(network, tables, step, ranks)
            loss.backward()
            norm = optimizer.step(step)
            clock.tick()
            if (step + 1) % 50 == 0 and ranks.first:
                report(step + 1, {"loss": loss.item(), "gradient_norm": norm, **clock.read()})
            if (step + 1) % config.save_every == 0 or step + 1 == config.optimizer.steps:
                tensors = optimizer.tensors()
                if ranks.first:
                    background.save(state, step + 1, tensors)
                    card = model_card(config, step + 1, sum(map(len, data)))
                    facts = {"training": training_facts(config, step + 1), **objective.facts}
                    save_folder(
                        config.out / "world", described | facts, averaged(tensors), card, half=True
                    )
                    visit(step + 1, _worlds(config, averaged(tensors), described, robots, codec))
                    clock = Clock(config.batch, flops)
    return _worlds(config, averaged(optimizer.tensors()), described, robots, codec)


def check_training(config: WorldTrainConfig, data: Sequence[LatentEpisodes]) -> list[Embodiment]:
    """=> the robots. CheckpointError or InputError where network, clips, robots and shares do not
    fit each other."""
    robots = robots_of(data)
    check_shown(
        config.conditioning, most_numbers(robots), config.network.action_size, most_sums(robots)
    )
    if config.network.embodiments != len(robots):
        raise CheckpointError(
            f"a network for {config.network.embodiments} robots cannot learn from {len(robots)}: "
            f"give embodiments {len(robots)}"
        )
    if config.network.positions == "learned" and config.frames > config.network.window:
        raise InputError(
            f"clips of {config.frames} frames are longer than the {config.network.window} over "
            f"which the network learns "
            "positions: train on shorter clips or give the network a longer window"
        )
    check_shares(config.mix, len(data))
    return robots


def robots_of(data: Sequence[LatentEpisodes]) -> list[Embodiment]:
    """Each robot once, in the order of the stores."""
    return list(dict.fromkeys(episodes.robot for episodes in data))


def _start(network: DiT, folder: Path) -> None:
    data, tensors = load_folder(folder, KIND)
    try:
        network.load_state_dict(
            grown(tensors, DiTConfig.from_json(data["network"]), network.config)
        )
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder}: a world of another network is no start for this one "
            f"({str(error).splitlines()[0]}); use its recipe"
        ) from error


@dataclass(frozen=True)
class Tables:
    """All training data: a batch is two look-ups. See LatentEpisodes.

    latents, shown: of all stores, one behind the other; numbers that are not the robot's are zero.
    Latents stay on the disk, or lie on a GPU if they are few: see `LatentRows`.
    first, lengths, robots: int [episodes], first row, frames, and whose it is.   stores: int
    [stores + 1], first episode of each. known: bool [robots, numbers shown], which are its own.
    """

    latents: LatentRows
    shown: Tensor
    known: Tensor
    first: Ints
    lengths: Ints
    robots: Ints
    stores: Ints

    @staticmethod
    def of(data: Sequence[LatentEpisodes], config: WorldTrainConfig) -> Tables:
        robots, size = robots_of(data), config.network.action_size
        widest = most_numbers(robots)
        known = torch.zeros(len(robots), size, dtype=torch.bool)
        shown = torch.zeros(sum(len(part.shown) for part in data), size)
        row = 0
        for part in data:
            columns = torch.from_numpy(config.columns(part.robot, widest))
            known[robots.index(part.robot), columns] = True
            shown[row : row + len(part.shown), columns] = torch.from_numpy(part.shown)
            row += len(part.shown)
        rows = np.cumsum([0, *(len(part.shown) for part in data)])
        return Tables(
            latent_rows([part.latents for part in data], config.device),
            shown.to(config.device),
            known.to(config.device),
            np.concatenate([part.first + start for part, start in zip(data, rows, strict=False)]),
            np.concatenate([part.lengths for part in data]),
            np.concatenate([np.full(len(part), robots.index(part.robot)) for part in data]),
            np.cumsum([0, *map(len, data)]),
        )


@dataclass(frozen=True)
class Batch:
    """This process's rows of a batch: latents [b, T, C, h, w] float32, start: those of each
    episode's first frame [b, C, h, w], actions [b, T, numbers shown], mask [b, T] (False where
    padded), rows: their numbers in the whole batch of B, robots: whose they are, where several
    share the network."""

    latents: Tensor
    start: Tensor
    actions: Tensor
    mask: Tensor
    rows: slice
    robots: Robots | None = None


def make_batch(tables: Tables, config: WorldTrainConfig, step: int, ranks: Ranks) -> Batch:
    """Random windows of random episodes, a function of (seed, step)."""
    rng, mine = np.random.default_rng([config.seed, step]), ranks.share(config.batch)
    episodes = draw_episodes(tables.stores, config.mix, config.batch, rng)
    lengths = tables.lengths[episodes]
    frames, mask = cut(lengths, config.frames, random_starts(lengths, config.frames, rng))
    first = tables.first[episodes][mine]
    places = first[:, None] + frames[mine]
    known = torch.from_numpy(mask)[mine].to(config.device)
    shown, latents = (
        tables.shown[torch.from_numpy(places).to(config.device)],
        tables.latents.take(places).float(),
    )
    start = tables.latents.take(first)
    actions, robots = (
        torch.where(known[..., None], shown, null_actions(shown)),
        _robots(tables, episodes[mine]),
    )
    return Batch(latents, start, actions, known, mine, robots)


def _robots(tables: Tables, episodes: Ints) -> Robots | None:
    if len(tables.known) == 1:
        return None
    index = torch.from_numpy(tables.robots[episodes]).to(tables.known.device)
    return Robots(index, tables.known[index])


def diffusion_loss(network: DiT, config: WorldTrainConfig, batch: Batch, step: int) -> Tensor:
    """Mean squared error of v over all frames, each at its own noise level (Diffusion Forcing)."""
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    schedule = make_schedule(config.schedule, **config.schedule_settings)
    x, mine, whole = batch.latents, batch.rows, (config.batch, *batch.latents.shape[1:])
    level = schedule.sample_levels(whole[:2], generator)[mine].to(x.device)
    eps = torch.randn(whole, generator=generator)[mine].to(x.device)
    dropped = (torch.rand(config.batch, generator=generator) < config.action_dropout)[mine].to(
        x.device
    )
    actions = torch.where(dropped[:, None, None], null_actions(batch.actions), batch.actions)
    dtype = next(network.parameters()).dtype
    noisy = schedule.add_noise(x, eps, level).to(dtype)
    v = network(noisy, level, actions, batch.start.to(dtype), robots=batch.robots).float()
    weight = (
        motion_weight(x, batch.start, config.motion_weight)
        * (schedule.loss_weight(level) * batch.mask)[..., None, None, None]
    )
    error = (v - schedule.target(x, eps, level)).square()
    return (error * weight).mean()


def motion_weight(x: Tensor, start: Tensor, extra: float) -> Tensor:
    """x [B, T, C, h, w], start [B, C, h, w] => [B, T, 1, h, w]: 1 where a place looks as in the
    last frame and in the initial frame, up to 1 + extra where it differs much from either.
    """
    moved = torch.cat([x[:, 1:2] - x[:, :1], x[:, 1:] - x[:, :-1]], 1)
    change, changed = (
        d.square().mean(2, keepdim=True).sqrt() for d in (moved, x - start.float()[:, None])
    )
    return 1.0 + extra * torch.maximum(change, changed).clamp(max=1.0)


def checkpoint_config(
    config: WorldTrainConfig, robots: Sequence[Embodiment], codec: Codec
) -> dict[str, Any]:
    """config.json of the checkpoint."""
    network, settings = config.network, dict(config.schedule_settings)
    known = (network, config.sampler, config.schedule, settings, codec.latents, config.conditioning)
    one = WorldConfig(robots[0].spec, *known, robots[0].scaling).to_json()
    return one if len(robots) == 1 else shared(one, network, robots)


def _worlds(
    config: WorldTrainConfig,
    weights: Mapping[str, Tensor],
    described: Mapping[str, Any],
    robots: Sequence[Embodiment],
    codec: Codec,
) -> Worlds:
    """The world of these weights as each robot meets it."""
    worlds = {}
    for robot in robots:
        data, tensors = single(
            described, weights, robot.name if len(robots) > 1 else None, config.out
        )
        world = WorldConfig.from_json(data)
        network = DiT(world.network).to(config.device)
        network.load_state_dict(tensors)
        worlds[robot.name] = DiffusionWorld(
            world, network, codec, config.out.name, getattr(torch, config.dtype)
        )
    return worlds


def training_facts(config: WorldTrainConfig, step: int) -> dict[str, Any]:
    keys = ("batch", "frames", "action_dropout", "motion_weight", "seed", "dtype")
    return {key: getattr(config, key) for key in keys} | {
        "step": step,
        "optimizer": asdict(config.optimizer),
    }


def model_card(config: WorldTrainConfig, step: int, episodes: int) -> str:
    return (
        f"# World model\n\nDiffusion-Forcing transformer, width {config.network.width}, "
        f"{config.network.pairs} pairs of spatial "
        f"and temporal blocks, {config.schedule} schedule.\nTrained for {step} steps of "
        f"{config.batch} clips of "
        f"{config.frames} frames from {episodes} episodes.\n"
    )
