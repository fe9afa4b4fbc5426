"""`worldgym train`: from episode stores to a codec and a world, by a named recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from worldgym.actions.embodiment import most_numbers, most_sums
from worldgym.checkpoint import copy_folder
from worldgym.episodes.frames import FrameCache, frame_cache
from worldgym.episodes.mixture import NamedStore, RobotStore, open_mixture
from worldgym.errors import InputError, did_you_mean
from worldgym.latents.train import Frameset, print_codec_step, train_codec
from worldgym.memory import keep_freed_memory
from worldgym.ranks import first_goes_ahead, joined
from worldgym.recipes import RECIPES, Recipe
from worldgym.requests import TrainRequest
from worldgym.world.budget import Budget, budget
from worldgym.world.launch import TrainRun, launch
from worldgym.world.train import WorldTrainConfig


def train_from_store(request: TrainRequest) -> Path:
    """Codec (unless given or trained already), latents, world => folder of the world's checkpoint.

    Under torchrun every process calls it: the first trains the codec and encodes, all train the world.
    """
    keep_freed_memory()
    with joined(request.device, request.processes) as device:
        request = replace(request, device=device)
        config = world_config(request)
        data = tuple(NamedStore.parse(text) for text in request.data)
        with first_goes_ahead():
            mixture = open_mixture(data, config.normalize)
            config = fit(config, mixture)
            codec = copy_folder(request.codec, request.out / "codec") if request.codec else _train_codec(request, mixture)
        launch(TrainRun(config, data, request.held_out, codec, request.processes))
    return request.out / "world"


def expected(request: TrainRequest) -> Budget:
    """What the training of the world would take, by the recipe as it stands: nothing is read or written."""
    return budget(world_config(request), request.processes)


def world_config(request: TrainRequest) -> WorldTrainConfig:
    config = _recipe(request).world(request.out, request.device)
    config = replace(config, start=request.start, mix=request.mix)
    if request.steps:
        config = replace(config, optimizer=replace(config.optimizer, steps=request.steps))
    return config


def fit(config: WorldTrainConfig, mixture: Sequence[RobotStore]) -> WorldTrainConfig:
    """The configuration for these robots: how many there are, and the numbers that the network is shown of the widest.

    A network of the published conditioning keeps its size.
    """
    robots = {part.robot for part in mixture}
    size = most_numbers(robots) * (1 + most_sums(robots)) + 1 if config.conditioning == "sum" else config.network.action_size
    return replace(config, network=replace(config.network, action_size=size, embodiments=len(robots)))


def _recipe(request: TrainRequest) -> Recipe:
    if request.recipe not in RECIPES:
        raise InputError(f'no recipe "{request.recipe}"{did_you_mean(request.recipe, RECIPES)}: one of {", ".join(RECIPES)}')
    return RECIPES[request.recipe]


def _train_codec(request: TrainRequest, mixture: Sequence[RobotStore]) -> Path:
    """OUT/codec, trained on the frames of all stores unless it is there."""
    recipe, folder = _recipe(request).codec, request.out / "codec"
    if recipe is None:
        raise InputError(
            f'the recipe "{request.recipe}" works on the latents of a pretrained autoencoder: bring it in with '
            "`worldgym import-codec` and give its folder as --codec"
        )
    config = recipe(request.out / "codec-run", request.device)
    if not (folder / "manifest.json").exists():
        if request.codec_steps:
            config = replace(config, optimizer=replace(config.optimizer, steps=request.codec_steps))
        caches = [frame_cache(part.store) for part in mixture]
        _check_size(request, config.model.size, caches[0])
        train_codec(config, Frameset.of(*caches), folder, print_codec_step)
    return folder


def _check_size(request: TrainRequest, size: int, cache: FrameCache) -> None:
    height, width = cache.pixels.shape[1:3]
    if (height, width) != (size, size):
        raise InputError(
            f'{cache.store.root}: frames of {width}x{height}, but the recipe "{request.recipe}" works at {size}x{size}; convert '
            f"them with --size {size} {size}"
        )
