"""`worldgym train`: from an episode store to a codec and a world, by a named recipe."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from worldgym.episodes.frames import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.latents.train import Frameset, train_codec
from worldgym.memory import keep_freed_memory
from worldgym.recipes import RECIPES, Recipe
from worldgym.requests import TrainRequest
from worldgym.world.budget import Budget, budget
from worldgym.world.launch import TrainRun, launch
from worldgym.world.train import WorldTrainConfig


def train_from_store(request: TrainRequest) -> Path:
    """Codec (unless given or trained already), latents, world => folder of the world's checkpoint."""
    keep_freed_memory()
    config = world_config(request)
    codec = request.codec or _train_codec(request)
    launch(TrainRun(config, request.data, request.held_out, codec, request.processes))
    return request.out / "world"


def expected(request: TrainRequest) -> Budget:
    """What the training of the world would take: nothing is read or written."""
    return budget(world_config(request), request.processes)


def world_config(request: TrainRequest) -> WorldTrainConfig:
    config = _recipe(request).world(request.out, request.device)
    config = replace(config, start=request.start)
    if request.steps:
        config = replace(config, optimizer=replace(config.optimizer, steps=request.steps))
    return config


def _recipe(request: TrainRequest) -> Recipe:
    if request.recipe not in RECIPES:
        raise InputError(f'no recipe "{request.recipe}": one of {", ".join(RECIPES)}')
    return RECIPES[request.recipe]


def _train_codec(request: TrainRequest) -> Path:
    """OUT/codec, trained unless it is there."""
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
        train_codec(config, Frameset.of(frame_cache(EpisodeStore(request.data))), folder, _print_report)
    return folder


def _print_report(step: int, scalars: dict[str, float]) -> None:
    values = "  ".join(f"{name} {value:.4g}" for name, value in scalars.items())
    print(f"codec step {step}  {values}", file=sys.stderr, flush=True)
