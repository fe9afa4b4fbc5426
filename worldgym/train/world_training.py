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

import torch
from torch import Tensor

from worldgym.actions.embodiment import Embodiment, most_numbers, most_sums
from worldgym.codecs.codec_protocol import Codec
from worldgym.episodes.mixture import check_shares
from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import load_folder, save_folder
from worldgym.io.records import from_mapping
from worldgym.train.carrier_training import train_carrier
from worldgym.train.direct_training import train_direct
from worldgym.train.distributed import ProcessGroup
from worldgym.train.frames_before import carried_frames
from worldgym.train.latent_shards import LatentEpisodes
from worldgym.train.loop import LoopOptions, Report, Trained, save_steps, training_loop
from worldgym.train.place_weights import place_weight
from worldgym.train.view_noise import completion_loss, draw_levels, view_noise
from worldgym.train.world_batches import Batch, Tables, make_batch, robots_of
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.conditioning import check_shown, null_actions
from worldgym.world.embodiments import shared, single
from worldgym.world.grown_weights import grown
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.noise import make_schedule
from worldgym.world.world_config import KIND, WorldConfig

MATRICES = ("blocks.",)  # what Muon takes


Worlds = Mapping[str, DiffusionWorld]  # by the name of the robot
Visit = Callable[[int, Worlds], None]


@dataclass(frozen=True)
class Objective:
    """loss(network, tables, step, group): of this process's rows of a batch, a function of (seed,
    step).

    passes: of a clip's frames through the network in one step, to count its products.   facts: for
    the checkpoint's config."""

    loss: Callable[[DiT, Tables, int, ProcessGroup], Tensor]
    passes: float
    facts: Mapping[str, Any] = field(default_factory=dict)


def forcing(config: WorldTrainConfig) -> Objective:
    """Diffusion Forcing on recorded clips."""

    def loss(network: DiT, tables: Tables, step: int, group: ProcessGroup) -> Tensor:
        return diffusion_loss(network, config, make_batch(tables, config, step, group), step)

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
    objective = objective or forcing(config)
    robots = check_training(config, data)
    described = checkpoint_config(config, robots, codec)
    group = ProcessGroup.current()
    torch.manual_seed(config.seed)
    network = DiT(config.network, config.checkpointing)
    if config.start is not None:
        start_from(network, config.start, robots)
    network = network.to(config.device, getattr(torch, config.dtype))
    tables = Tables.of(data, config)
    train_direct(network, tables, config, codec, group)
    train_carrier(network, tables, config, group)

    def checkpoint(trained: Trained) -> None:
        facts = {"training": training_facts(config, trained.step), **objective.facts}
        card = model_card(config, trained.step, sum(map(len, data)))
        save_folder(config.out / "world", described | facts, trained.weights, card, half=True)
        visit(trained.step, _worlds(config, trained.weights, described, robots, codec))

    options = LoopOptions(
        "world",
        save_steps(config.save_every, config.optimizer.steps),
        config.out / "state.safetensors",
        checkpoint,
        report,
        config.batch,
        "clip",
        objective.passes * config.network.flops_per_frame * config.frames * config.batch,
        MATRICES,
        group=group,
    )
    trained = training_loop(
        network,
        lambda step: objective.loss(network, tables, step, group),
        config.optimizer,
        options,
    )
    return _worlds(config, trained.weights, described, robots, codec)


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


def start_from(network: DiT, folder: Path, robots: Sequence[Embodiment]) -> None:
    """Puts a checkpoint's weights into a network that continues from it. CheckpointError for one
    of another kind.

    For a robot with other actions, the network learns the action embedding from the beginning; in
    patches of another size, what enters and leaves its blocks."""
    data, tensors = load_folder(folder, KIND)
    start = from_mapping(DiTConfig, data["network"])
    fresh: tuple[str, ...] = ()
    if "spec" in data and data["spec"] != robots[0].spec.to_json():
        fresh += ("action_embedder.",)
    if network.config.carrier_width and not start.carrier_width:
        fresh += ("carrier.", "final_linear.")
    if start.direct_width and not network.config.direct_width:
        raise CheckpointError(
            f"{folder}: this world draws frames directly, and the recipe's does not; use the "
            f"recipe that it was trained by"
        )
    if not draws_alike(start, data.get("spec"), network.config, robots):
        fresh += ("direct.",)
    if start.patch != network.config.patch:
        fresh += ("x_proj.", "final_linear.", "position_map", "carrier.")
    own = {name: value for name, value in network.state_dict().items() if name.startswith(fresh)}
    known = {name: value for name, value in tensors.items() if not name.startswith(fresh)}
    try:
        network.load_state_dict(grown(known, start, network.config) | own)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder}: a world of another network is no start for this one "
            f"({str(error).splitlines()[0]}); use its recipe"
        ) from error


def draws_alike(
    start: DiTConfig, spec: Any, config: DiTConfig, robots: Sequence[Embodiment]
) -> bool:
    """Whether what draws frames directly can stay as it was in the world to start from, of a robot
    with this `spec`: where cameras go is learned for one robot with its cameras."""
    shapes = [(c.direct_width, c.latent_shape, c.cameras, c.action_size) for c in (start, config)]
    return shapes[0] == shapes[1] and spec == robots[0].spec.to_json()


def diffusion_loss(network: DiT, config: WorldTrainConfig, batch: Batch, step: int) -> Tensor:
    """Mean squared error of v over all frames, each at its own noise level (Diffusion Forcing); of
    several views see `worldgym.train.view_noise`."""
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    schedule = make_schedule(config.schedule, **config.schedule_settings)
    x = batch.latents
    mine = batch.rows
    whole = (config.batch, *batch.latents.shape[1:])
    cameras = config.network.cameras
    if cameras > 1:
        draws = draw_levels(schedule, whole[:2], cameras, generator).rows(mine, x.device)
    else:
        level = schedule.sample_levels(whole[:2], generator)[mine].to(x.device)
    eps = torch.randn(whole, generator=generator)[mine].to(x.device)
    dropped = (torch.rand(config.batch, generator=generator) < config.action_dropout)[mine].to(
        x.device
    )
    actions = torch.where(dropped[:, None, None], null_actions(batch.actions), batch.actions)
    if cameras > 1:
        shown = view_noise(schedule, x, batch.start, eps, batch.present, draws)
        level, noisy, start, target = shown.level, shown.noisy, shown.start, shown.target
        known = shown.weight * batch.mask[..., None, None, None]
    else:
        noisy, start = schedule.add_noise(x, eps, level), batch.start
        target = schedule.target(x, eps, level)
        known = (schedule.loss_weight(level) * batch.mask)[..., None, None, None]
    dtype = next(network.parameters()).dtype
    noisy, start = noisy.to(dtype), start.to(dtype)
    condition = network.condition(level, actions, batch.robots)
    weight = place_weight(x, batch.start, config)
    carried, loss = None, torch.zeros((), device=x.device)
    if network.carrier is not None:
        carried, told = carried_frames(
            network, noisy, start, condition, batch, generator, config.batch
        )
        loss = ((carried.float() - x).square() * weight * told).mean()
        carried = carried.detach()  # so that it stays a frame
    v = network.denoise(noisy, condition, start, carried=carried).float()
    loss = loss + ((v - target).square() * weight * known).mean()
    if cameras > 1:
        loss = loss + completion_loss(network, schedule, batch, config, generator)
    return loss


def checkpoint_config(
    config: WorldTrainConfig, robots: Sequence[Embodiment], codec: Codec
) -> dict[str, Any]:
    """config.json of the checkpoint."""
    network = config.network
    settings = dict(config.schedule_settings)
    known = (network, config.sampler, config.schedule, settings, codec.latents, config.conditioning)
    one = WorldConfig(robots[0].spec, *known, robots[0].scaling, config.views).to_json()
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
    keys = ["batch", "frames", "action_dropout", "motion_weight", "seed", "dtype"]
    keys += ["still_weight"] if config.still_weight else []
    facts = {key: getattr(config, key) for key in keys}
    facts |= {"step": step, "optimizer": asdict(config.optimizer)}
    before = {"carrier": config.carrier, "direct": config.direct}
    return facts | {name: asdict(stage) for name, stage in before.items() if stage}


def model_card(config: WorldTrainConfig, step: int, episodes: int) -> str:
    return (
        f"# World model\n\nDiffusion-Forcing transformer, width {config.network.width}, "
        f"{config.network.pairs} pairs of spatial "
        f"and temporal blocks, {config.schedule} schedule.\nTrained for {step} steps of "
        f"{config.batch} clips of "
        f"{config.frames} frames from {episodes} episodes.\n"
    )
