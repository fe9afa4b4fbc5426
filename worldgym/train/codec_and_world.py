"""`worldgym world train`: from episode stores to a codec and a world, by a named recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from worldgym.actions.embodiment import most_numbers, most_sums
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.mixture import NamedStore, RobotStore, check_shares, open_mixture
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError, at_least, pick
from worldgym.io.checkpoint import copy_folder, read_config
from worldgym.io.devices import resolve_device
from worldgym.io.records import from_mapping
from worldgym.io.tracking import check_trackers
from worldgym.native.memory import keep_freed_memory
from worldgym.train.codec_training import Frameset, print_codec_step, train_codec
from worldgym.train.distributed import process_group, rank_zero_first
from worldgym.train.recipes import RECIPES, Recipe
from worldgym.train.training_cost import Budget, budget
from worldgym.train.training_requests import TrainRequest
from worldgym.train.world_run import TrainRun, held_out_stores, launch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.train.world_training import draws_alike
from worldgym.world.network_config import DiTConfig


def train_codec_and_world(request: TrainRequest) -> Path:
    """Codec (unless given or trained already), latents, world => folder of the world's checkpoint.

    Under torchrun every process calls it: the first trains the codec and encodes, all train the
    world."""
    keep_freed_memory()
    request = replace(request, device=resolve_device(request.device))
    with process_group(request.device, request.processes) as device:
        request = replace(request, device=device)
        data = tuple(NamedStore.parse(text) for text in request.data)
        with rank_zero_first():
            config, mixture = checked_training(request)
            codec = (
                copy_folder(request.codec, request.out / "codec")
                if request.codec
                else _train_codec(request, mixture)
            )
        launch(
            TrainRun(
                config,
                data,
                request.held_out,
                codec,
                request.processes,
                other_device=request.other_device,
                track=request.track,
            )
        )
    return request.out / "world"


def expected(request: TrainRequest) -> Budget:
    """What the training of the world would take. Nothing is written; what training would refuse is
    refused."""
    config, _ = checked_training(replace(request, device=resolve_device(request.device)))
    return budget(config, request.processes)


def checked_training(request: TrainRequest) -> tuple[WorldTrainConfig, list[RobotStore]]:
    """The configuration and the stores of a training. InputError or CheckpointError for what cannot
    be trained together."""
    check_trackers(request.track)
    config = world_config(request)
    mixture = open_mixture([NamedStore.parse(text) for text in request.data], config.normalize)
    held_out_stores(mixture, request.held_out)
    check_shares(request.mix, len(mixture))
    recipe = _recipe(request).codec
    if request.codec is not None:
        read_config(request.codec)
    elif recipe is None:
        raise InputError(
            f'the recipe "{request.recipe}" works on the latents of a pretrained autoencoder: '
            f"import it with `worldgym codec import` and give its folder as --codec"
        )
    elif not (request.out / "codec" / "manifest.json").exists():
        _check_size(
            request, recipe(request.out / "codec-run", request.device).model.size, mixture[0].store
        )
    config = config_for(config, mixture)
    if request.direct_steps is None and not _keeps_direct(config, mixture):
        config = replace(config, direct=_recipe(request).world(request.out, request.device).direct)
    return config, mixture


def _keeps_direct(config: WorldTrainConfig, mixture: Sequence[RobotStore]) -> bool:
    """Whether the world to continue from draws frames directly for this robot with its cameras."""
    known = _start_of(config)
    start = from_mapping(DiTConfig, known.get("network", {}))
    return draws_alike(start, known.get("spec"), config.network, [part.robot for part in mixture])


def _start_of(config: WorldTrainConfig) -> Mapping[str, Any]:
    """What the world to continue from says of itself; nothing where none is continued."""
    return read_config(config.start) if config.start else {}


def world_config(request: TrainRequest) -> WorldTrainConfig:
    config = _recipe(request).world(request.out, request.device)
    config = replace(
        config,
        start=request.start or config.start,
        mix=request.mix,
        still_weight=request.still_weight,
    )
    if request.batch:
        config = replace(config, batch=request.batch)
    if request.steps:
        config = replace(config, optimizer=replace(config.optimizer, steps=request.steps))
    carrier = direct = None
    if steps := _steps_before(config, "carrier", request.carrier_steps):
        assert config.carrier is not None
        carrier = replace(config.carrier, steps=steps)
    if steps := _steps_before(config, "direct", request.direct_steps):
        assert config.direct is not None
        direct = config.direct.of_steps(steps)
    return replace(config, carrier=carrier, direct=direct)


def _steps_before(
    config: WorldTrainConfig, part: Literal["carrier", "direct"], steps: int | None
) -> int:
    """For how many a part of the network is trained alone, before the rest. steps: as asked for;
    None = as many as the recipe says, and not at all where the world to continue from has such a
    part already, to which its blocks are fitted."""
    what = {"carrier": "convolutions that carry frames on", "direct": "what draws frames directly"}
    frames = config.direct.frames if config.direct else None
    settings = config.carrier if part == "carrier" else frames
    if steps is not None and settings is None:
        raise InputError(
            f"--{part}-steps is for recipes whose network has {what[part]}, such as panda: leave "
            f"it out"
        )
    at_least(f"--{part}-steps", steps or 0)
    if settings is None or steps == 0:
        return 0
    if steps is None and _start_of(config).get("network", {}).get(f"{part}_width"):
        return 0
    return steps or settings.steps


def config_for(config: WorldTrainConfig, mixture: Sequence[RobotStore]) -> WorldTrainConfig:
    """The configuration for these robots: how many there are, and the numbers that the network is
    shown of the widest.

    A network of the published conditioning keeps its size.
    """
    robots = {part.robot for part in mixture}
    size = (
        most_numbers(robots) * (1 + most_sums(robots)) + 1
        if config.conditioning == "sum"
        else config.network.action_size
    )
    views = mixture[0].store.views
    network = replace(config.network, action_size=size, embodiments=len(robots), cameras=len(views))
    if network.direct_width and config.conditioning == "sum":
        network = replace(network, sums_from=most_numbers(robots))
    return replace(config, network=network, views=views)


def _recipe(request: TrainRequest) -> Recipe:
    return pick("recipe", request.recipe, RECIPES)


def _train_codec(request: TrainRequest, mixture: Sequence[RobotStore]) -> Path:
    """OUT/codec, trained on the frames of all stores unless it is there."""
    recipe = _recipe(request).codec
    folder = request.out / "codec"
    if recipe is not None and not (folder / "manifest.json").exists():
        config = recipe(request.out / "codec-run", request.device)
        if request.codec_steps:
            config = replace(config, optimizer=replace(config.optimizer, steps=request.codec_steps))
        caches = [frame_cache(part.store) for part in mixture]
        train_codec(config, Frameset.of(*caches), folder, print_codec_step)
    return folder


def _check_size(request: TrainRequest, size: int, store: EpisodeStore) -> None:
    height, width = store.frame_size()
    if (height, width) != (size, size):
        raise InputError(
            f'{store.root}: frames of {width}x{height}, but the recipe "{request.recipe}" works at '
            f"{size}x{size}; convert "
            f"them with --size {size} {size}"
        )
