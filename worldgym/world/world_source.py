"""Worlds by name: a checkpoint, a served one, or the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from worldgym.errors import InputError, did_you_mean
from worldgym.io.bundled import NAME, bundled
from worldgym.io.named_source import NamedSource
from worldgym.io.user_factory import check_made, check_no_module, is_factory, made_as
from worldgym.types import ActionSpec
from worldgym.world.capabilities import Capabilities, WorldCard
from worldgym.world.wire.served_world import connect_world, is_served
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_protocol import World

PAGE = "docs/worlds.md"  # which describes what a world is
VALUES = {
    "name": str,
    "spec": ActionSpec,
    "frame_shape": tuple,
    "views": tuple,
    "capabilities": Capabilities,
}


def load_world(
    source: str | Path, embodiment: str | None = None, device: str = "auto"
) -> World[Any]:
    """The checkpoint in a folder, "bundled", ws://HOST:PORT (see `ServerAddress`), or
    MODULE:FACTORY of the user's own.

    InputError names what is wrong. embodiment, device: of a checkpoint, see
    `load_diffusion_world`."""
    text = str(source)
    if is_foreign(text):
        if embodiment is not None:
            raise InputError(
                f"--embodiment chooses a robot of a checkpoint, and {text} is not a checkpoint"
            )
        return connect_world(text) if is_served(text) else own_world(text)
    place = bundled(source, "world")
    if not place.is_dir():
        check_no_module("world", text)
        raise InputError(
            f'no world "{text}"{did_you_mean(text, [NAME])}: give the folder of a checkpoint, '
            f'"{NAME}", ws://HOST:PORT, or MODULE:FACTORY of your own'
        )
    return load_diffusion_world(place, device=device, embodiment=embodiment)


def is_foreign(source: str) -> bool:
    """Whether a source names no checkpoint."""
    return is_served(source) or is_factory(source)


def own_world(text: str) -> World[Any]:
    """What the factory returns, see `made_by`. InputError in one sentence where it is no world."""
    source = NamedSource.parse(text, "world")
    world: World[Any] = made_as(source, VALUES, ("step",), PAGE)
    can = world.capabilities
    needed = ("begin" if can.begins_with_more else "reset",)
    check_made(source, world, {}, (*needed, *(("robot_states",) if can.returns else ())), PAGE)
    try:
        WorldCard.of(world)
    except (ValueError, TypeError) as error:
        raise InputError(f'world "{text}": {error}') from error
    return world
